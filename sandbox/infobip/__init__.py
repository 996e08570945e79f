"""Infobip's conversion-rate API on loopback: statistics of tracked messages, what is logged, the oracle."""

from sandbox.infobip.errors import error_body
from sandbox.infobip.oracle import Duration, Oracle, Rate
from sandbox.infobip.receiving import Received
from sandbox.infobip.variants import Variants
from sandbox.infobip.vendor import Infobip

__all__ = ["Duration", "Infobip", "Oracle", "Rate", "Received", "Variants", "error_body"]
