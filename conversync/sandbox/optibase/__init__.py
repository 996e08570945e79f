"""Optibase, the A/B tool, on loopback: it takes conversions of tested users, and tells of nothing."""

from conversync.sandbox.optibase.oracle import Oracle
from conversync.sandbox.optibase.variants import Variants
from conversync.sandbox.optibase.vendor import ENDPOINT, Optibase, Received

__all__ = ["ENDPOINT", "Optibase", "Oracle", "Received", "Variants"]
