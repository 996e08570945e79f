"""Columns that are computed from others, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

import numpy as np
import pendulum
import pyarrow as pa
import pyarrow.compute as pc
from pendulum import DateTime, FixedTimezone, Timezone

from conversync.errors import SettingsError
from conversync.http import clock

UTC_MICROSECONDS = pa.timestamp("us", "UTC")


def zone(name: str, setting: str) -> Timezone | FixedTimezone:
    """The time zone of that name; "EST" is the fixed -05:00, as the vendors who write it mean it.

    Raises SettingsError, naming the setting, where no such zone is known.
    """
    if name == "EST":
        return FixedTimezone(-5 * 3600, "EST")
    try:
        return pendulum.timezone(name)
    except (ValueError, OSError):  # a folder of zones is no zone: IsADirectoryError
        raise SettingsError(
            f'{setting} is "{name}", which is no time zone: write EST, or a name such as America/New_York.'
        ) from None


def to_utc(local: pa.ChunkedArray, zone: tzinfo) -> pa.ChunkedArray:
    """Wall-clock times (timestamp[us] without zone) of a zone as UTC instants.

    An hour that a clock shows twice is taken as its first; one that it skips, as counted before the change.
    """
    if (always := zone.utcoffset(None)) is not None:
        return pc.subtract(local, pa.scalar(always, pa.duration("us"))).cast(UTC_MICROSECONDS)
    # Offsets change on quarters of an hour at the finest, so one look-up serves every row of a quarter.
    quarter = pc.floor_temporal(local, 15, unit="minute").combine_chunks().dictionary_encode()
    offsets = pa.array([_offset(at, zone) for at in quarter.dictionary.to_pylist()], pa.duration("us"))
    shifted = pc.subtract(local, offsets.take(quarter.indices))
    return shifted.cast(UTC_MICROSECONDS)


def _offset(local: datetime | None, zone: tzinfo) -> timedelta | None:
    # Not pendulum's `convert`, which takes the second of two hours, and moves one that is skipped.
    return local.replace(tzinfo=zone).utcoffset() if local is not None else None


def local_day(instants: pa.ChunkedArray, zone: tzinfo) -> pa.ChunkedArray:
    """The days (date32) that UTC instants fall on in a zone."""
    return local_clock(instants, zone).cast(pa.date32())


def local_clock(instants: pa.ChunkedArray, zone: tzinfo) -> pa.ChunkedArray:
    """What a clock in a zone shows (timestamp[us]) at UTC instants."""
    clock = instants.cast(pa.timestamp("us"))
    quarter = pc.floor_temporal(clock, 15, unit="minute").combine_chunks().dictionary_encode()
    offsets = pa.array([_offset_then(at, zone) for at in quarter.dictionary.to_pylist()], pa.duration("us"))
    return pc.add(clock, offsets.take(quarter.indices))


def _offset_then(at: datetime | None, zone: tzinfo) -> timedelta | None:
    return at.replace(tzinfo=UTC).astimezone(zone).utcoffset() if at is not None else None


def casefold(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text in the form in which ids that ignore case are compared."""
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return pc.ascii_lower(text)
    return pa.chunked_array(
        [[t.casefold() if t is not None else None for t in text.to_pylist()]], pa.string()
    )


def digest(table: pa.Table, columns: Sequence[str], optional: Sequence[str] = ()) -> pa.ChunkedArray:
    """32 hexadecimal digits for each row, equal where all the named columns are equal.

    `optional` columns count where they are not null, and change nothing where they are: so a column that is added
    later makes no new digest of what came before.

    A fingerprint, not a safeguard. Text columns must not hold U+001E or U+001F (`values.text` replaces them).
    """
    parts = ", ".join(f'coalesce(cast("{name}" as varchar), chr(30))' for name in columns)
    parts = ", ".join([parts, *(f'cast("{name}" as varchar)' for name in optional)])
    columns = [*columns, *optional]
    # Instants as numbers: their text would follow the session's zone.
    numbers = [
        c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.select(columns).columns
    ]
    _fingerprints().register("batch", pa.table(numbers, names=list(columns)))
    result = _fingerprints().execute(f"select md5(concat_ws(chr(31), {parts})) from batch").to_arrow_table()  # noqa: S608
    _fingerprints().unregister("batch")
    return result.column(0)


def hashes(keys: pa.ChunkedArray) -> np.ndarray:
    """64 bits for each key, equal where keys are; good within this process only."""
    _fingerprints().register("keys", pa.table({"key": keys}))
    result = _fingerprints().execute("select hash(key) as hash from keys").fetchnumpy()
    _fingerprints().unregister("keys")
    return np.asarray(result["hash"], np.uint64)


@cache
def _fingerprints():  # type: ignore[no-untyped-def] # duckdb is imported where it is first needed
    import duckdb

    return duckdb.connect(config={"threads": 1})


def now() -> DateTime:
    """The instant, in UTC, to the microsecond; never later than by the clock of a vendor that answered."""
    return clock.now()
