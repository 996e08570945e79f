"""What came of decoding: rows as a table, rows that were set aside, and the names that no document knows."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from conversync.http.redact import quoted

# How many names that no document knows are told of one reading, and how many characters of each.
MOST_NAMES, MOST_OF_NAME = 100, 60
# Of a row that was set aside, in bytes, beside its text: the objects, the reason, and what the evidence makes of it.
OVERHEAD = 400
# Of its text, in characters; of what is longer, the digest of all of it stands behind its beginning.
MOST_OF_RAW = 8_192
_ALTERED, _NOT_WHOLE = " (not as it came)", " (not held whole)"


@dataclass(frozen=True)
class Rejected:
    """A row that was set aside: its JSON text as served, up to `MOST_OF_RAW`, and why, in plain words.

    `of`: the hash of the text that came, where `raw` has only what may be kept of it (see persons.py).
    """

    raw: str
    reason: str
    of: str = ""

    def __post_init__(self) -> None:
        if len(self.raw) > MOST_OF_RAW + 100:
            cut = f"{self.raw[:MOST_OF_RAW]}… ({len(self.raw):,} characters, {self.raw_hash})"
            object.__setattr__(self, "raw", cut)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return sys.getsizeof(self.raw) + OVERHEAD

    @property
    def raw_hash(self) -> str:
        """The row's identity in `rejected_rows`: 32 hexadecimal digits."""
        return self.of or hashlib.sha256(self.raw.encode("utf-8", "backslashreplace")).hexdigest()[:32]


@dataclass
class Decoded:
    """One page: the envelope without its rows, the good rows as a table, the others with their reasons."""

    envelope: dict[str, Any]
    table: pa.Table
    rejected: list[Rejected] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """How many rows the page held, good or bad."""
        return int(self.table.num_rows) + len(self.rejected)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return size_of(self.table) + sum(bad.size for bad in self.rejected)


def size_of(table: pa.Table) -> int:
    """How many bytes a table keeps in memory; of a slice, all that it was cut from. Asked of every page, and cheap."""
    return int(table.get_total_buffer_size())


def not_as_it_came(name: str) -> str:
    """How a field is noted, among those that are new to us, whose value could not be stored as it came."""
    return f"{name}{_ALTERED}"


def not_whole(name: str) -> str:
    """How a field is noted there that was left out, or whose text was cut, because its row is too long."""
    return f"{name}{_NOT_WHOLE}"


@dataclass(frozen=True)
class Told:
    """The names that were noted of a reading, by what is to be said of them."""

    new: tuple[str, ...]
    altered: tuple[str, ...]
    not_whole: tuple[str, ...]


def told_apart(noted: Iterable[str]) -> Told:
    """What each of these notes is about."""
    every = list(noted)
    return Told(
        new=tuple(name for name in every if not name.endswith((_ALTERED, _NOT_WHOLE))),
        altered=tuple(name.removesuffix(_ALTERED) for name in every if name.endswith(_ALTERED)),
        not_whole=tuple(name.removesuffix(_NOT_WHOLE) for name in every if name.endswith(_NOT_WHOLE)),
    )


def note_names(noted: Counter[str], names: Mapping[str, int] | Iterable[str]) -> None:
    """Counts fields that are new to us: cleaned and cut, and no more of them than a person reads."""
    for name, count in Counter(names).items():
        if name in noted:
            noted[name] += count
        elif len(noted) < MOST_NAMES:
            noted[_shown(name)] += count


def _shown(noted: str) -> str:
    mark = next((one for one in (_ALTERED, _NOT_WHOLE) if noted.endswith(one)), "")
    return quoted(noted.removesuffix(mark), MOST_OF_NAME - len(mark)) + mark
