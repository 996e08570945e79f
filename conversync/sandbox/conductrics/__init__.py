"""Conductrics' goal types and agents on loopback, what is put and deleted, and what a reader must hold."""

from conversync.sandbox.conductrics.goals import Goal
from conversync.sandbox.conductrics.oracle import Oracle, Spell
from conversync.sandbox.conductrics.variants import Variants
from conversync.sandbox.conductrics.vendor import Conductrics
from conversync.sandbox.conductrics.writing import Received

__all__ = ["Conductrics", "Goal", "Oracle", "Received", "Spell", "Variants"]
