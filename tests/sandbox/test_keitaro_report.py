"""The tracker's report and lists: clicks' days that change afterwards, and things that end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.keitaro import Variants
from tests.sandbox.asking import keitaro

GROUPS = ["day", "campaign_id", "offer"]
METRICS = ["clicks", "conversions", "sales", "rejected", "revenue", "cost"]
ALL = {"from": "2025-01-01", "to": "2027-01-01", "timezone": "UTC"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Twelve days, with the clock at the end of the eighth."""
    world = World(days=12)
    world.now = world.day(8)
    with Sandbox(world) as running:
        yield running


def report(sandbox: Sandbox, **body: Any) -> Any:
    wish = {"range": ALL, "grouping": GROUPS, "metrics": METRICS, **body}
    return keitaro(sandbox, "report/build", wish).json()


def by_group(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in GROUPS): row for row in rows}


def test_the_report_is_the_oracles(sandbox: Sandbox) -> None:
    """Group by group, over HTTP in one page."""
    page = report(sandbox)
    assert by_group(page["rows"]) == by_group(sandbox.keitaro.oracle.report(GROUPS, METRICS))
    assert page["total"] == len(page["rows"]) > 100


def test_conversions_count_on_the_day_of_their_click(sandbox: Sandbox) -> None:
    """So days that were read before change: conversions are added and rejected, and groups vanish."""
    span = {"from": "2026-01-01", "to": "2026-01-08", "timezone": "UTC"}
    before = by_group(report(sandbox, range=span)["rows"])
    sandbox.world.advance(hours=24 * 60)
    after = by_group(report(sandbox, range=span)["rows"])
    assert [key for key in after if key in before and after[key]["conversions"] > before[key]["conversions"]]
    assert [key for key in after if key in before and after[key]["rejected"] > before[key]["rejected"]]
    assert [key for key in before if key not in after]
    clicks = {event.tid: event.click for event in sandbox.keitaro.oracle.events().values()}
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)
    expected = sum(click is not None and first <= click.at < last for click in clicks.values())
    assert sum(row["conversions"] for row in after.values()) == expected


def test_sums_agree_with_the_log(sandbox: Sandbox) -> None:
    """One row without grouping: revenue is that of what is not rejected, the rest stands apart."""
    metrics = [
        "conversions",
        "revenue",
        "rejected_revenue",
        "sale_revenue",
        "lead_revenue",
        "cost",
        "profit",
        "cr",
    ]
    [row] = report(sandbox, grouping=[], metrics=metrics)["rows"]
    events = list(sandbox.keitaro.oracle.events().values())
    rejected = sum((one.revenue for one in events if one.kind == "rejected"), Decimal(0))
    assert row["conversions"] == len(events)
    assert row["rejected_revenue"] == rejected
    assert row["revenue"] + rejected == sum((one.revenue for one in events), Decimal(0))
    assert row["revenue"] == row["sale_revenue"] + row["lead_revenue"]
    assert row["profit"] == row["revenue"] - row["cost"]
    assert 20 < row["cr"] < 40


def test_unknown_names_are_silently_dropped(sandbox: Sandbox) -> None:
    """Of grouping, metrics and the body alike."""
    rows = report(sandbox, grouping=["day", "weekday"], metrics=["clicks", "likes"], colour="red")["rows"]
    assert {tuple(row) for row in rows} == {("day", "clicks")}


def test_numbers_may_be_text(sandbox: Sandbox) -> None:
    """Metrics only; groups stay as they are."""
    plain = report(sandbox)["rows"]
    sandbox.keitaro.variants = Variants(report_numbers="text")
    texts = report(sandbox)["rows"]
    assert {type(row[name]) for row in texts for name in METRICS} == {str}
    assert [{**row, **{name: Decimal(row[name]) for name in METRICS}} for row in texts] == plain
    assert {type(row["campaign_id"]) for row in texts} == {int}


def test_days_zone_filters_sort_and_pages(sandbox: Sandbox) -> None:
    """As in the log; a report may also not hear of pages at all."""
    body = {"grouping": ["day"], "metrics": ["clicks"], "sort": [{"name": "day", "order": "DESC"}]}
    days = [row["day"] for row in report(sandbox, **body)["rows"]]
    assert days == sorted(days, reverse=True)
    moscow = report(sandbox, **body, range={**ALL, "timezone": "Europe/Moscow"})["rows"]
    assert moscow != report(sandbox, **body)["rows"]
    only = [{"name": "country", "operator": "EQUALS", "expression": "JP"}]
    assert {row["country"] for row in report(sandbox, grouping=["country"], filters=only)["rows"]} == {"JP"}
    page = report(sandbox, **body, limit=2, offset=1)
    assert ([row["day"] for row in page["rows"]], page["total"]) == (days[1:3], len(days))
    sandbox.keitaro.variants = Variants(report_pages=False)
    assert [row["day"] for row in report(sandbox, **body, limit=2, offset=1)["rows"]] == days
    sandbox.keitaro.variants = Variants(order="unstable")
    assert report(sandbox, grouping=["day"]) != report(sandbox, grouping=["day"])


def test_scripted_report_rows(sandbox: Sandbox) -> None:
    """Exactly as they are, those whose day is asked for."""
    sandbox.keitaro.report_rows = [{"day": "2026-01-01", "clicks": "1"}, '{"day":"2026-01-02","clicks":1.0}']
    span = {"from": "2026-01-02", "to": "2026-01-03", "timezone": "UTC"}
    assert keitaro(sandbox, "report/build", {"range": span}).text.startswith(
        '{"rows":[{"day":"2026-01-02","clicks":1.0}]'
    )
    assert report(sandbox)["total"] == 2


LISTS = ["campaigns", "offers", "affiliate_networks", "traffic_sources", "landing_pages", "domains"]


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_bare_arrays_and_lose_what_ended(sandbox: Sandbox, name: str) -> None:
    """Ids and names as the oracle has them; what ended was there before, and its conversions keep its name."""
    oracle, world = sandbox.keitaro.oracle, sandbox.world
    world.now = world.day(0)
    early = {row["id"]: row["name"] for row in keitaro(sandbox, name).json()}
    assert early == oracle.lists()[name]
    world.now = world.day(20)
    late = {row["id"]: row["name"] for row in keitaro(sandbox, name).json()}
    assert late == oracle.lists()[name]
    assert late.items() < early.items()


def test_a_list_may_be_scripted_or_changed_by_a_fault(sandbox: Sandbox) -> None:
    """A bare array is a document too."""
    sandbox.keitaro.lists["domains"] = [{"id": 1}]
    assert keitaro(sandbox, "domains").json() == [{"id": 1}]
    sandbox.faults.add(Fault(path="*/domains", mutate=lambda document, _: document * 2))
    assert keitaro(sandbox, "domains").json() == [{"id": 1}, {"id": 1}]
    assert keitaro(sandbox, "users").status == 404
