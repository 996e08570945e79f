"""Besitos, the offerwall, on loopback: its feed, its catalogue, and what a reader must hold."""

from conversync.sandbox.besitos.oracle import Oracle, Totals, totals, totals_by_offer
from conversync.sandbox.besitos.reading import Read
from conversync.sandbox.besitos.rows import Scripted
from conversync.sandbox.besitos.statements import Statement
from conversync.sandbox.besitos.variants import Variants, parse_variants
from conversync.sandbox.besitos.vendor import Besitos

__all__ = [
    "Besitos",
    "Oracle",
    "Read",
    "Scripted",
    "Statement",
    "Totals",
    "Variants",
    "parse_variants",
    "totals",
    "totals_by_offer",
]
