"""Conductrics' goal types and agents on loopback, what is put and deleted, and what a reader must hold."""

from sandbox.conductrics.goals import Goal
from sandbox.conductrics.oracle import Oracle, Spell
from sandbox.conductrics.variants import Variants
from sandbox.conductrics.vendor import Conductrics
from sandbox.conductrics.writing import Received

__all__ = ["Conductrics", "Goal", "Oracle", "Received", "Spell", "Variants"]
