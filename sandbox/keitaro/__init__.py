"""Keitaro, the tracker, on loopback: its log, report and lists, its postback, and what a reader must hold."""

from sandbox.keitaro.events import Event
from sandbox.keitaro.oracle import Oracle, Read
from sandbox.keitaro.receiving import Received
from sandbox.keitaro.variants import Variants
from sandbox.keitaro.vendor import Keitaro

__all__ = ["Event", "Keitaro", "Oracle", "Read", "Received", "Variants"]
