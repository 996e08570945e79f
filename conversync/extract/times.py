"""A time as vendors write it: `2024-12-04 06:24:55`, with a T, with a fraction, with the offset of its clock.

With an offset a time is an instant, whatever form it came in; without one it is a clock's, and needs a zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from conversync.extract.columns import UTC_MICROSECONDS, local_clock, to_utc

# Of a fraction, digits beyond microseconds are left off. The pattern is Python's and Arrow's alike.
_SECOND = "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}"
_OFFSET = "Z|UTC|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?"
_FORM = rf"^(?P<second>{_SECOND})(?P<fraction>\.[0-9]{{1,9}})?(?P<offset> ?(?:{_OFFSET}))?$"
_TIME = re.compile(_FORM.removesuffix("$") + r"\Z")
# A time in a JSON text; and whether there is one in another form than the plain one.
_QUOTED = re.compile(rf'"({_SECOND}(?:\.[0-9]{{1,9}})?(?: ?(?:{_OFFSET}))?)"')
_ODD = '"[0-9]{4}-[0-9]{2}-[0-9]{2}(T| [0-9:]{8}[^"])'
# The form that all but a few vendors write, by its length.
_PLAIN = 19
_CLOCK = pa.timestamp("us")


def read(text: str, like: str = "2024-12-04 06:25:36") -> datetime:
    """The time, aware where it has an offset; ValueError with the words that follow a field's name, and an example."""
    found = _TIME.match(text)
    if not found:
        raise ValueError(f"is not a time like {like}")
    try:
        clock = datetime.fromisoformat(found["second"] + (found["fraction"] or "")[:7])
    except ValueError:
        raise ValueError("is a time that does not exist") from None
    shift = offset_of(found["offset"] or "")
    return clock if shift is None else clock.replace(tzinfo=timezone(shift))


def offset_of(text: str) -> timedelta | None:
    """`+02:00`, `+0200`, `+02`, `Z` or `UTC` as how far the clock is ahead of UTC; None for no text."""
    text = text.strip()
    if text in ("", "Z", "UTC"):
        return timedelta(0) if text else None
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if text[0] == "-" else ahead


def clocks(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """What the clocks showed (timestamp[us]), and how far they are ahead of UTC (duration[us]; null: not told).

    ValueError or ArrowException where one of the texts is no time that exists.
    """
    parts = pc.extract_regex(texts, _FORM)
    if parts.null_count > texts.null_count:
        raise ValueError("not every text is a time")
    second, fraction, offset = (pc.struct_field(parts, name) for name in ("second", "fraction", "offset"))
    clock = pc.binary_join_element_wise(second, pc.utf8_slice_codeunits(fraction, 0, 7), "").cast(_CLOCK)
    told = offset.dictionary_encode()
    shifts = pa.array([offset_of(text) for text in told.dictionary.to_pylist()], pa.duration("us"))
    return clock, shifts.take(told.indices)


def plainly(json: pa.ChunkedArray) -> pa.ChunkedArray:
    """JSON texts with the times in them as `2024-12-04 11:24:55`, in UTC where they tell their offset.

    So two texts that differ in the form of their times only are the same.
    """
    array = json.combine_chunks()
    if not pc.any(pc.match_substring_regex(array, _ODD)).as_py():
        return json
    encoded = array.dictionary_encode()
    plain = [_QUOTED.sub(_plain, text) for text in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(plain, json.type).take(encoded.indices)])


def _plain(found: re.Match[str]) -> str:
    try:
        time = read(found[1])
        clock = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return found[0]
    return f'"{clock.isoformat(" ")}"'


def moments(texts: pa.ChunkedArray, zone: tzinfo) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The UTC instants of times, and what a clock in `zone` showed then (timestamp[us]); its day is the time's.

    `zone` is that of the times without an offset, too.
    """
    if pc.max(pc.binary_length(texts)).as_py() in (_PLAIN, None):
        clock = texts.cast(_CLOCK)
        return to_utc(clock, zone), clock
    array, shifts = clocks(texts.combine_chunks())
    clock, told = pa.chunked_array([array]), pa.chunked_array([pc.is_valid(shifts)])
    there = pc.subtract(array, pc.coalesce(shifts, pa.scalar(timedelta(0), shifts.type)))
    instants = pc.if_else(told, pa.chunked_array([there.cast(UTC_MICROSECONDS)]), to_utc(clock, zone))
    return instants, pc.if_else(told, local_clock(instants, zone), clock)
