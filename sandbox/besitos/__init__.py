"""Besitos, the offerwall, on loopback: its feed, its catalogue, and what a reader must hold."""

from sandbox.besitos.oracle import Oracle, Totals, totals, totals_by_offer
from sandbox.besitos.reading import Read
from sandbox.besitos.rows import Scripted
from sandbox.besitos.statements import Statement
from sandbox.besitos.variants import Variants, parse_variants
from sandbox.besitos.vendor import Besitos

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
