"""Optibase, the A/B tool, on loopback: it takes conversions of tested users, and tells of nothing."""

from sandbox.optibase.oracle import Oracle
from sandbox.optibase.variants import Variants
from sandbox.optibase.vendor import ENDPOINT, Optibase, Received

__all__ = ["ENDPOINT", "Optibase", "Oracle", "Received", "Variants"]
