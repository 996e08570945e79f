"""The walks over the feed: everything, over a few days; and the reversals over many.

One of those may carry its original's date. The flag of the row decides what a row is, never the walk that brought it.
"""

from __future__ import annotations

CONVERSIONS = "conversions"
REVERSALS = "reversals"
STREAMS = (CONVERSIONS, REVERSALS)
# Which setting says how many days before its cursor a walk begins.
LOOKBACKS = {CONVERSIONS: "besitos_lookback_days", REVERSALS: "besitos_reversal_lookback_days"}
