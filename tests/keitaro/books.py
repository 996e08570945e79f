"""What a tracker's books say beside what the warehouse holds, in the same words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.houses import VendorWorkspace

# isort: split
import pendulum
from dlt.common.configuration.specs import configspec
from pendulum import Date

from conversync.extract.columns import zone
from conversync.sandbox import Request, Sandbox
from conversync.sandbox.keitaro import Event
from conversync.vendors import LoadRequest, Step, Vendor, vendors
from sources.keitaro import KeitaroSettings, keitaro
from sources.keitaro.reading import CONVERSIONS

LOG, REPORT = "/admin_api/v1/conversions/log", "/admin_api/v1/report/build"
LISTS = ("campaigns", "offers", "affiliate_networks", "traffic_sources", "landing_pages", "domains")

# What both generations tell of a conversion, then what only one does.
TOLD = (
    "conversion_id, status, revenue, cost, tid, sub_id, sub_id_1, sub_id_15, campaign_id, offer_id, ts_id, "
    "landing_id, country, click_datetime, sale_datetime, occurred_at, occurred_on"
)
ONLY = {"new": "version, conversion_type, status_history", "old": "previous_status, original_status"}


def vendor_at(sandbox: Sandbox, *, at_once: bool = True) -> Vendor:
    """Keitaro to a machine whose clock is the sandbox world's.

    `at_once` reads log and report in one commit, as the source does it in anybody's own script, and no lists: that
    takes a third of the time.
    """

    @configspec
    class Clocked(KeitaroSettings):
        # dlt looks there for the names in the annotations that are inherited.
        __module__ = KeitaroSettings.__module__

        def today(self, stream: str) -> Date:
            days = "UTC" if stream == CONVERSIONS else zone(self.keitaro_zone, "keitaro_zone")
            return pendulum.instance(sandbox.world.now).in_timezone(days).date()

    def steps(_state: Mapping[str, Any], settings: Any, asked: LoadRequest) -> Iterator[Step]:
        told: list[str] = []

        def source(on_page: Any) -> Any:
            read = keitaro(
                asked.start,
                asked.end,
                settings=settings,
                on_page=on_page,
                on_skip=told.append,
                accept_empty=asked.accept_empty,
            )
            return read.with_resources("conversion_events", "report_daily", "rejected_rows", "windows")

        yield Step("log and report", source, told)

    vendor = replace(vendors()["keitaro"], settings=Clocked)
    return replace(vendor, steps=steps) if at_once else vendor


def held(house: VendorWorkspace) -> dict[str, list[tuple[Any, ...]]]:
    """By conversion_id, every statement held, oldest first: the last one is open, each other closed by its next."""
    columns = f"{TOLD}, {ONLY[house.sandbox.keitaro.variants.generation]}"
    rows = house.query(
        f"select valid_from, valid_to, {columns} from keitaro.conversion_events order by valid_from"
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    closed: dict[str, datetime | None] = {}
    for valid_from, valid_to, *statement in rows:
        history = found.setdefault(statement[0], [])
        assert not history or closed[statement[0]] == valid_from, statement[0]
        history.append(tuple(statement))
        closed[statement[0]] = valid_to
    assert {key for key, until in closed.items() if until is not None} == set()
    return found


def expected(house: VendorWorkspace) -> dict[str, list[tuple[Any, ...]]]:
    """The same, as the tracker's oracle says after what was read."""
    tracker = house.sandbox.keitaro
    days = zone(house.settings.get("KEITARO_ZONE", "UTC"), "keitaro_zone")
    return {
        key: [told(event, tracker.variants, days) for event in history]
        for key, history in tracker.oracle.held(tracker.reads).items()
    }


def told(event: Event, variants: Any, days: Any) -> tuple[Any, ...]:
    """One state of a conversion as our columns have it."""
    click = event.click
    assert click is not None
    common = (
        event.conversion_id,
        event.status,
        event.revenue,
        click.cost,
        event.tid,
        event.sub_id,
        click.sub_ids[0],
        click.sub_ids[14],
        click.campaign.id,
        click.offer.id,
        click.traffic_source.id,
        click.landing_page.id,
        click.country,
        click.at,
        event.sale_at,
        event.at,
        event.at.astimezone(days).date(),
    )
    if variants.generation == "old":
        return (*common, event.previous_status, event.original_status)
    history: Any = [{"datetime": f"{at:%Y-%m-%d %H:%M:%S}", "status": status} for status, at in event.history]
    if variants.history == "text":
        history = ",".join(status for status, _ in event.history)
    return (*common, event.version, event.kind, json.dumps(history, separators=(",", ":")))


def report_held(house: VendorWorkspace, columns: str) -> Counter[tuple[Any, ...]]:
    """The rows of `report_daily`."""
    return Counter(house.query(f"select {columns} from keitaro.report_daily"))


def report_expected(
    house: VendorWorkspace, grouping: Sequence[str], metrics: Sequence[str], first: date, last: date
) -> Counter[tuple[Any, ...]]:
    """The report of the clicks on the days `[first, last]` in UTC, as the tracker's oracle has it now."""
    start = datetime.combine(first, datetime.min.time(), UTC)
    end = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=1)
    rows = house.sandbox.keitaro.oracle.report(grouping, metrics, start=start, end=end)
    return Counter(
        tuple(date.fromisoformat(row[name]) if name == "day" else row[name] for name in (*grouping, *metrics))
        for row in rows
    )


def body(request: Request) -> dict[str, Any]:
    """What was asked."""
    wish: dict[str, Any] = json.loads(request.body)
    return wish


def pages(house: VendorWorkspace, path: str, since: int = 0) -> list[tuple[int, int]]:
    """Limit and offset of each question, in order; those for a sample left out."""
    sample = 20 if path == LOG else 1
    asked = [body(one) for one in house.asked(path, since)]
    return [(one["limit"], one["offset"]) for one in asked if one["limit"] != sample]


def conversion(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of a newer tracker's log; a field that is None is left out."""
    row = {
        "event_id": f"c{number}",
        "datetime": f"2026-01-05 10:00:{number % 60:02}",
        "click_datetime": "2026-01-04 09:00:00",
        "status": "lead",
        "revenue": 1.5,
        "tid": f"t{number}",
        "sub_id": f"s{number}",
        **fields,
    }
    return {name: value for name, value in row.items() if value is not None}


def money(text: str) -> Decimal:
    """An amount as the tables have it."""
    return Decimal(text).quantize(Decimal("0.000001"))
