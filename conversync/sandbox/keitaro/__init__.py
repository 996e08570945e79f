"""Keitaro, the tracker, on loopback: its log, report and lists, its postback, and what a reader must hold."""

from conversync.sandbox.keitaro.events import Event
from conversync.sandbox.keitaro.oracle import Oracle, Read
from conversync.sandbox.keitaro.receiving import Received
from conversync.sandbox.keitaro.variants import Variants
from conversync.sandbox.keitaro.vendor import Keitaro

__all__ = ["Event", "Keitaro", "Oracle", "Read", "Received", "Variants"]
