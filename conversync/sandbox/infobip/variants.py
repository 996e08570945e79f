"""Every question that Infobip's document leaves open, as one setting each."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One reading of the document. The defaults are the likeliest one."""

    # How times are shown and read.
    zone: Literal["central-europe", "+0200", "+0000"] = "central-europe"
    """The offset shown: the samples have +0200 in October and +0100 in March; or always the same."""
    to_inclusive: bool = False
    """Does a window hold the very instant of `to`? Then that day has a bucket of its own."""

    # What is counted.
    zero_rate: Literal["zero", "null", "NaN"] = "zero"
    """`conversionRate` where the start count is 0: 0, null, or the text "NaN"."""
    rate: Literal["number", "percent", "word"] = "number"
    """`conversionRate` elsewhere: a number; text such as `"12.5 %"`; or a word that says nothing, `"n/a"`."""
    counts: Literal["integer", "decimal"] = "integer"
    """`startCount`, `endCount`: 10, or 10.0."""
    empty_days: Literal["absent", "shown"] = "absent"
    """Days without a start: the sample's month has one day."""
    no_days: Literal["list", "null", "absent"] = "list"
    """`conversionRates` of a window that has no day to show."""
    no_time: Literal["null", "zero"] = "null"
    """`averageConversionTime` where nobody converted: null, or a time of 0."""

    # How it is written.
    time_unit: Literal["seconds", "minutes", "hours", "days"] = "seconds"
    units_in_capitals: bool = True
    """`SECONDS` as in the sample, or `seconds` as in the table."""
    enums: Literal["constants", "words"] = "constants"
    """`START_TAG`, `DAY` as in the samples, or `Start tag`, `Granulation by days` as in the tables."""
    order: Literal["oldest", "newest", "shuffled"] = "oldest"
    url_key: Literal["urlTrackingProcessKey", "urlProcessTrackingKey"] = "urlTrackingProcessKey"
    """The name in the sample, or in the table."""
    destination: Literal["text", "list"] = "text"
    """`destinationAddress`: a text as in the sample, or a list as in the table."""

    # The samples' own slips.
    bare_paths: bool = False
    """Are paths without `/1` answered too, as the tag samples have them?"""
    literal_sender: bool = False
    """`resourceURL` holds the text `{senderAddress}`, as in the sample."""
    links_root: str = ""
    """Whose address `resourceURL` shows; by default the one that was asked."""

    # What goes wrong.
    limited_every: int = 0
    """Every so many requests the rate limit has been applied (429)."""
    price: Decimal = Decimal(0)
    """Of one message."""
    refused: frozenset[str] = frozenset()
    """Addresses to which no message can be sent."""
    refused_as: Literal["error", "status"] = "error"
    """How that shows: a `messageStatus` and an `errorMessageId`, or the status alone."""
    results: Literal["all", "nameless", "absent"] = "all"
    """`sendMessageResults`, which are optional: one for each address, without the address, or none."""

    # What becomes of a message.
    correlators: Literal["kept", "folded", "own"] = "kept"
    """A request's `clientCorrelator`: its name from then on; also, a repeat of one is no second message; or not heard,
    and the vendor makes its own."""
    delivery: str = "DeliveredToTerminal"
    """`deliveryStatus` of an address that was accepted; of another it is DeliveryImpossible."""
