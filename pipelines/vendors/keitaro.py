"""A run of Keitaro: the log and the report window by window, then the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pipelines.vendors import Asked, OnPage, Step, Vendor, sql_files
from sources import keitaro
from sources.keitaro import CONVERSIONS, REPORT, KeitaroSettings, statuses
from sources.keitaro.check import check
from sources.keitaro.lists import NAMES as LISTS
from sources.windows import cut

# What each stream fills, besides `rejected_rows` and `windows`.
TABLES = {CONVERSIONS: "conversion_events", REPORT: "report_daily"}


def steps(state: Mapping[str, Any], settings: KeitaroSettings, asked: Asked) -> Iterator[Step]:
    """Each stream's windows, oldest first; the lists where no days were asked for."""
    for stream, window in keitaro.plan(state, settings, asked.start, asked.end):
        for part in cut(window, asked.window_days):
            read = partial(keitaro.keitaro, part.start, part.end, streams=[stream])
            yield Step(f"{stream} {part}", partial(_days, read, TABLES[stream]))
    if not asked.start:
        yield Step("lists", lambda _on_page: keitaro.keitaro().with_resources(*LISTS))


def _days(read: Callable[..., Any], table: str, on_page: OnPage) -> Any:
    """The source without its lists: they are a step of their own."""
    return read(on_page=on_page).with_resources(table, "rejected_rows", "windows")


def views(_settings: KeitaroSettings) -> dict[str, str]:
    """`conversions`."""
    return sql_files(keitaro, kind=statuses.sql())


VENDOR = Vendor(
    name="keitaro",
    settings=KeitaroSettings,
    steps=steps,
    check=check,
    views=views,
    statements={"conversion_events": f"{statuses.sql()} = '{statuses.REJECTED}'"},
    days={"conversion_events": "occurred_on", "report_daily": "day"},
)
