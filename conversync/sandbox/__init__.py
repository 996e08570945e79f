"""The vendors on loopback, for the demo, the tests and the benchmarks.

One seeded story (`World`) is told in each vendor's dialect by one server (`Sandbox`), which can be made to
fail (`Fault`) and which knows what a reader must hold in the end (`sandbox.besitos.oracle`, and so for each
vendor). Standard library only; it imports nothing of ours, since a mistake shared by both sides would hide on
both. The plain names here are Besitos'; the others' stand in `sandbox.keitaro`, `sandbox.infobip`,
`sandbox.conductrics` and `sandbox.optibase`.
"""

from conversync.sandbox import conductrics, infobip, keitaro, optibase
from conversync.sandbox.besitos import Besitos, Oracle, Read, Statement, Totals, Variants
from conversync.sandbox.command import serve
from conversync.sandbox.faults import Fault, Faults, blackhole, refused_url
from conversync.sandbox.messages import Raw, Request
from conversync.sandbox.stage import Sandbox
from conversync.sandbox.world import World

__all__ = [
    "Besitos",
    "Fault",
    "Faults",
    "Oracle",
    "Raw",
    "Read",
    "Request",
    "Sandbox",
    "Statement",
    "Totals",
    "Variants",
    "World",
    "blackhole",
    "conductrics",
    "infobip",
    "keitaro",
    "optibase",
    "refused_url",
    "serve",
]
