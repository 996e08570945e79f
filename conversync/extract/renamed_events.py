"""Events that came again under other ids: each that is gone is paired with one of its content, one for one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from conversync.types import Row, Values

Id = TypeVar("Id", bound=Hashable)


def first_stated(rows: Iterable[Row], id_of: Callable[[Row], Id]) -> dict[Id, datetime]:
    """When the events of these statements (of which each has `valid_from`) were stated first."""
    first: dict[Id, datetime] = {}
    for row in rows:
        first[id_of(row)] = min(row["valid_from"], first.get(id_of(row), row["valid_from"]))
    return first


def pairs(
    gone: Iterable[Row],
    candidates: Mapping[Values, list[Id]],
    first: Mapping[Id, datetime],
    content: Callable[[Row], Values],
) -> Iterator[tuple[Row, Id]]:
    """Each that is gone with a candidate of its content that was `first` stated later, or is not held at all.

    Those that were stated last choose first: what may stand in for them may for the others as well. A candidate that is
    taken is taken out.
    """
    for row in sorted(gone, key=lambda row: row["valid_from"], reverse=True):
        others = candidates.get(content(row), [])
        if later := [one for one in others if one not in first or first[one] > row["valid_from"]]:
            others.remove(later[0])
            yield row, later[0]
