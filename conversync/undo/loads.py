"""The loads of a dataset, as a person counts them: what one run committed of one source, in however many commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pendulum

from conversync.books.lines import place
from conversync.errors import ConversyncError, SettingsError
from conversync.send import ledger
from conversync.types import SqlClient
from conversync.vendors import Vendor
from conversync.warehouse.undoable import KEPT_LOADS, LOADS

# So far after a commit lies the next one at least: two of these (see warehouse/load_order.py).
_LATER = pendulum.duration(microseconds=500)


@dataclass(frozen=True)
class Load:
    """The commits of one load, oldest first, and when the last one stood (UTC).

    `point` is the newest commit before it, empty where there was none; None: nothing is kept to take it back by.
    """

    vendor: Vendor
    point: str | None
    commits: Sequence[str]
    committed_at: datetime

    def __str__(self) -> str:
        return f"{self.commits[-1]} ({self.vendor.label}, {self.committed_at:%Y-%m-%d %H:%M} UTC)"

    @property
    def since(self) -> datetime:
        """Whatever it wrote is later, and whatever stood before it is not."""
        return pendulum.from_timestamp(float(self.point or 0)) + _LATER


def of(client: SqlClient, vendor: Vendor) -> list[Load]:
    """Those of one dataset that stand, newest first. `client` is an open sql_client."""
    noted = place(client, vendor.dataset, LOADS.name)
    points: dict[str, str] = dict(ledger.ask(client, f"select load_id, point from {noted}"))  # noqa: S608 - our own names
    stand = place(client, vendor.dataset, "_dlt_loads")
    query = f"select load_id, inserted_at from {stand} where status = 0 order by load_id desc"  # noqa: S608 - as above
    found: list[Load] = []
    for name, at in ledger.ask(client, query):
        point = points.get(name)
        if found and point is not None and found[-1].point == point:
            last = found.pop()
            found.append(Load(vendor, point, (name, *last.commits), last.committed_at))
        else:
            found.append(Load(vendor, point, (name,), pendulum.instance(at).in_timezone("UTC")))
    return found


def chosen(loads: Iterable[Sequence[Load]], load_id: str | None) -> Load:
    """The load of this name, or the last one without; `loads` are those of each dataset, newest first.

    SettingsError where there is none or it is not clear which; ConversyncError where it cannot be taken back: others
    came after it, or nothing was kept.
    """
    there = [each for each in loads if each]
    if not there:
        raise SettingsError("There is nothing to take back: no load stands. conversync load makes one.")
    newest = ", ".join(str(each[0]) for each in there)
    if load_id is not None:
        there = [each for each in there if _place_of(load_id, each) is not None]
        if not there:
            raise SettingsError(f"There is no load {load_id}. The last: {newest}.")
        _refuse_later_ones(there[0], load_id)
    elif len(there) > 1:
        raise SettingsError(f"Several sources were loaded: say whose with --vendor. The last: {newest}.")
    return _undoable(there[0][0])


def _place_of(load_id: str, loads: Sequence[Load]) -> int | None:
    return next((number for number, load in enumerate(loads) if load_id in load.commits), None)


def _refuse_later_ones(loads: Sequence[Load], load_id: str) -> None:
    if number := _place_of(load_id, loads):
        raise ConversyncError(
            f"{loads[number]} is not the last load of {loads[number].vendor.label}, and later ones are built on it. "
            "Nothing was taken back. Take these back first, in this order: "
            f"{', '.join(map(str, loads[:number]))}."
        )


def _undoable(load: Load) -> Load:
    if load.point is None:
        raise ConversyncError(
            f"{load} cannot be taken back: what a load replaces is kept for the last {KEPT_LOADS} of a source, where "
            "conversync load made them, since the version that knows undo. Nothing was taken back."
        )
    return load
