"""A period is closed: what is known of it then is what was reported, for good; or opened again, its history kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import pendulum

from conversync.books import store
from conversync.books.histories import CHANGES
from conversync.books.lines import Line, Period, fingerprint, has, lines, place, totals_text
from conversync.books.store import Closing
from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, SettingsError
from conversync.extract.lookback import InUse, in_use
from conversync.extract.windows import DAY
from conversync.monitor.day_figures import ranges
from conversync.monitor.views import DAYS, judged
from conversync.settings import lookup
from conversync.types import Document, SqlClient
from conversync.vendors import Vendor
from conversync.warehouse import files
from conversync.warehouse.datasets import pipeline_name
from conversync.warehouse.load_order import newest_state
from conversync.warehouse.query import rows
from conversync.warehouse.warehouse import Warehouse

# How a day that stands against it is told, by its state in the view `days`.
TOLD = {
    "short": "read short",
    "never": "never read",
    "due": "not read yet",
    "open": "not over",
    "young": "younger than the lookback of {days} days{auto}, until {until}",
}


@dataclass(frozen=True)
class Candidate:
    """What closing a period of one vendor comes to: its lines, and what stands against it, a sentence each."""

    closing: Closing
    lines: Sequence[Line]
    against: Sequence[str] = field(default=())


def candidates(
    client: SqlClient, vendors: Sequence[Vendor], period: Period, why: str | None, now: datetime
) -> list[Candidate]:
    """Of each vendor that was ever loaded and has not closed the period; SettingsError where there is none to close."""
    if period.first > now.date():
        raise SettingsError(f"{period.name} has not begun yet, so there is nothing to close.")
    return [_candidate(client, vendor, period, why, now) for vendor in _still_open(client, vendors, period)]


def _still_open(client: SqlClient, vendors: Sequence[Vendor], period: Period) -> list[Vendor]:
    """Those that were loaded and have not closed the period; SettingsError where there is none."""
    loaded = [vendor for vendor in vendors if has(client, vendor.dataset, CHANGES)]
    if not loaded:
        names = ", ".join(vendor.label for vendor in vendors)
        raise SettingsError(
            f"There is nothing to close: this version has loaded nothing of {names}. Run conversync load."
        )
    closed = {one.label for one in store.closings(client, loaded, period.name) if one.is_closed}
    if not (todo := [vendor for vendor in loaded if vendor.label not in closed]):
        raise SettingsError(
            f"{period.name} is closed already by {', '.join(sorted(closed))}: see conversync books, or conversync "
            "reopen."
        )
    return todo


def close(
    warehouse: Warehouse,
    vendors: Sequence[Vendor],
    period: Period,
    *,
    why: str | None = None,
    force: bool = False,
    wait: float = 0,
) -> list[Candidate]:
    """Seals the period of all these vendors, or of none: ConversyncError, with every reason, where a day is not whole.

    With `force` it is sealed all the same, and what stood against it is kept. LockedError as from a load.
    """
    if force and not (why or "").strip():
        raise SettingsError("--force closes what is not whole: say why, with --why TEXT.")
    _refuse_without(warehouse)
    with translate_errors(), store.writing(warehouse, vendors, "close", wait) as client:
        found = candidates(client, vendors, period, why, pendulum.now("UTC"))
        if not force:
            refuse(found)
        store.write(client, [(one.closing, one.lines) for one in found])
    return found


def refuse(found: Sequence[Candidate]) -> None:
    """ConversyncError with every reason there is."""
    if reasons := [reason for one in found for reason in one.against]:
        period = found[0].closing.period
        whole = [f"--vendor {one.closing.label}" for one in found if not one.against]
        alone = f" Of the others it goes: conversync close {period} {' '.join(whole)}." if whole else ""
        raise ConversyncError(
            f"{period} is not closed: {'; '.join(reasons)}. Load what is missing, wait for what is "
            f"young, or say --force --why TEXT.{alone}"
        )


def reopen(
    warehouse: Warehouse, vendors: Sequence[Vendor], period: Period, why: str, wait: float = 0
) -> list[Closing]:
    """Opens the period of all these vendors that closed it; SettingsError where none did, or without a reason."""
    if not why.strip():
        raise SettingsError("Say why the period is opened again, with --why TEXT.")
    _refuse_without(warehouse)
    with translate_errors(), store.writing(warehouse, vendors, "reopen", wait) as client:
        closed = [one for one in store.closings(client, vendors, period.name) if one.is_closed]
        if not closed:
            raise SettingsError(f"{period.name} is not closed, so there is nothing to open again.")
        store.reopen(client, closed, pendulum.now("UTC"), who(), why)
    return closed


def _candidate(
    client: SqlClient, vendor: Vendor, period: Period, why: str | None, now: datetime
) -> Candidate:
    before = store.closings(client, [vendor], period.name)
    known_until = _newest(client, vendor) or now
    found = lines(client, vendor.dataset, period, known_until)
    against = list(_against(client, vendor, period, now))
    closing = Closing(
        period.name,
        vendor.name,
        vendor.dataset,
        len(before) + 1,
        period.first,
        period.last,
        now,
        who(),
        why,
        "; ".join(against) or None,
        known_until,
        totals_text(found),
        fingerprint(period.name, vendor.name, vendor.dataset, found),
        store.counted_by(vendor),
    )
    return Candidate(closing, found, against)


def _against(client: SqlClient, vendor: Vendor, period: Period, now: datetime) -> Iterator[str]:
    """What stands against closing, by listing: the days in the words of their state."""
    settings = _settings(vendor)
    today = now.astimezone(pendulum.timezone(_zone(settings, vendor))).date()
    lookback = in_use(settings, f"{vendor.name}_lookback_days", _noted(client, vendor))
    days = [period.first + DAY * number for number in range((period.last - period.first).days + 1)]
    old = [day for day in days if day + DAY * lookback.days <= today]
    if young := days[len(old) :]:
        yield f"{vendor.label}: {', '.join(ranges(young))} {_is(young)} {_young(young[-1], lookback)}"
    states = _states(client, vendor)
    for stream in vendor.books:
        known = states.get(stream, {})
        for state, words in TOLD.items():
            if bad := [day for day in old if known.get(day, "never") == state]:
                yield f"{vendor.label} {stream}: {', '.join(ranges(bad))} {_was(bad, state)} {words}"


def _young(last: date, lookback: InUse) -> str:
    auto = " (auto)" if lookback.is_auto else ""
    return TOLD["young"].format(days=lookback.days, auto=auto, until=last + DAY * lookback.days)


def _noted(client: SqlClient, vendor: Vendor) -> Document:
    """What the vendor's last load noted: how late rows came, among other things."""
    where = partial(place, client, vendor.dataset)
    _, state = newest_state(client, where, pipeline_name(vendor.dataset))
    return dict(state.get("sources", {}).get(vendor.name, {}))


def _is(days: Sequence[date]) -> str:
    return "is" if len(days) == 1 else "are"


def _was(days: Sequence[date], state: str) -> str:
    return _is(days) if state in ("due", "open") else "was" if len(days) == 1 else "were"


def _states(client: SqlClient, vendor: Vendor) -> dict[str, dict[date, str]]:
    """By listing, the state of each day that the view `days` knows."""
    query = f"select stream, day, {judged()} from {place(client, vendor.dataset, DAYS)}"  # noqa: S608 - our own words
    found: dict[str, dict[date, str]] = {}
    for stream, day, state in client.execute_sql(query) or ():
        found.setdefault(stream, {})[day] = state
    return found


def _newest(client: SqlClient, vendor: Vendor) -> datetime | None:
    query = f"select max(known_at) from {place(client, vendor.dataset, CHANGES)}"  # noqa: S608 - our own names
    [[newest]] = rows(client, query)
    return newest if newest is None else pendulum.instance(newest).in_timezone("UTC")


def _settings(vendor: Vendor) -> Any:
    return lookup.resolve_partly(vendor.settings, vendor.label)


def _zone(settings: Any, vendor: Vendor) -> str:
    return str(settings[f"{vendor.name}_zone"])


def who() -> str:
    """The user of the system that does it."""
    import os

    return files.owner(os.geteuid()).removeprefix("the user ")


def _refuse_without(warehouse: Warehouse) -> None:
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
