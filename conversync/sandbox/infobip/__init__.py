"""Infobip's conversion-rate API on loopback: statistics of tracked messages, what is logged, the oracle."""

from conversync.sandbox.infobip.errors import error_body
from conversync.sandbox.infobip.oracle import Duration, Oracle, Rate
from conversync.sandbox.infobip.receiving import Received
from conversync.sandbox.infobip.variants import Variants
from conversync.sandbox.infobip.vendor import Infobip

__all__ = ["Duration", "Infobip", "Oracle", "Rate", "Received", "Variants", "error_body"]
