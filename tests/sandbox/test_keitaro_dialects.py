"""Trackers of other kinds: totals from a cache, ties, limits, other names, times, words, statuses, and doors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.keitaro import Variants
from conversync.sandbox.readings import parse
from tests.sandbox.asking import keitaro
from tests.sandbox.tracker import ALL, OLD, log, scan

COLUMNS = ["event_id", "datetime"]
BY_TIME = [{"name": "datetime", "order": "ASC"}, {"name": "event_id", "order": "ASC"}]
SPACE_AND_FRACTION = {"plain": (" ", ""), "fraction": (" ", ".000"), "zulu": ("T", "Z")}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Ten days of conversions, with the clock a month later."""
    world = World(days=10)
    world.now = world.day(40)
    with Sandbox(world) as running:
        yield running


def under(sandbox: Sandbox, *pairs: str) -> Sandbox:
    sandbox.keitaro.variants = parse(pairs, Variants())
    return sandbox


def tied(sandbox: Sandbox, *seconds: int) -> None:
    """Conversions 1, 2, 3, ... of one minute, at these seconds."""
    sandbox.keitaro.rows = [
        {"event_id": str(number), "datetime": f"2026-01-05 10:00:{second:02}"}
        for number, second in enumerate(seconds, 1)
    ]


def ids(page: Any) -> list[str]:
    return [row["event_id"] for row in page["rows"]]


def pages(sandbox: Sandbox, count: int) -> list[list[str]]:
    """So many pages of two, by time."""
    return [
        ids(log(sandbox, columns=COLUMNS, sort=BY_TIME, limit=2, offset=2 * number))
        for number in range(count)
    ]


def test_b01_ties_between_offsets(sandbox: Sandbox) -> None:
    """A tracker that hears the first sort alone: 2 comes twice and 3 not at all, at every walk alike."""
    under(sandbox, "sorts=first", "order=page")
    tied(sandbox, 0, 1, 1, 2)
    assert [pages(sandbox, 2) for _ in range(2)] == [[["1", "2"], ["2", "4"]]] * 2
    assert log(sandbox, columns=COLUMNS, sort=BY_TIME, limit=2)["total"] == 4
    under(sandbox, "order=page")
    assert pages(sandbox, 2) == [["1", "2"], ["3", "4"]]


def test_a_sort_that_is_not_heard(sandbox: Sandbox) -> None:
    """Rows come in the order that they stand in."""
    under(sandbox, "sorts=none")
    tied(sandbox, 3, 1, 2)
    assert pages(sandbox, 2) == [["1", "2"], ["3"]]


@pytest.mark.parametrize(
    ("variant", "total"), [("total_cap=4", 4), ("total_behind=2", 5), ("total_behind=-2", 9)]
)
def test_b04_totals_that_are_not_the_number_of_rows(sandbox: Sandbox, variant: str, total: int) -> None:
    """Capped, behind or ahead; each page is as full as it can be all the same."""
    under(sandbox, variant)
    tied(sandbox, *range(7))
    assert pages(sandbox, 5) == [["1", "2"], ["3", "4"], ["5", "6"], ["7"], []]
    assert log(sandbox, columns=COLUMNS, limit=2)["total"] == total


def test_b05_a_limit_that_is_refused(sandbox: Sandbox) -> None:
    """406 with the field's name; up to it, rows."""
    under(sandbox, "limit_max=3")
    tied(sandbox, *range(7))
    asked = [keitaro(sandbox, "conversions/log", {"columns": COLUMNS, "limit": limit}) for limit in (3, 4)]
    assert [reply.status for reply in asked] == [200, 406]
    assert list(asked[1].json()) == ["limit"]


def test_f09_other_names_come_than_were_asked(sandbox: Sandbox) -> None:
    """`conversion_id`, `postback_datetime` are taken and come as `event_id`, `datetime`; nothing else differs."""
    under(sandbox, "generation=old")
    plain = scan(sandbox, 100, columns=OLD, sort=[{"name": "conversion_id", "order": "ASC"}])
    under(sandbox, "generation=old", "names=new")
    renamed = scan(sandbox, 100, columns=OLD, sort=[{"name": "conversion_id", "order": "ASC"}])
    names = {"conversion_id": "event_id", "postback_datetime": "datetime"}
    assert renamed == [{names.get(name, name): value for name, value in row.items()} for row in plain]
    assert renamed[0]["event_id"]
    assert keitaro(sandbox, "conversions/log", {"columns": ["event_id"]}).status == 400


def test_f08_an_amount_of_nothing(sandbox: Sandbox) -> None:
    """Where the amount is 0, `""` comes; where it is not, its number; a filter compares with 0 all the same."""
    plain = scan(sandbox, 100)
    under(sandbox, "zero=empty")
    rows = scan(sandbox, 100)
    free = [row for row in plain if not row["revenue"]]
    assert [row["revenue"] for row in rows] == [row["revenue"] or "" for row in plain]
    assert len(free) > 5
    under_one = [{"name": "revenue", "operator": "LESS_THAN", "expression": 1}]
    assert len(log(sandbox, filters=under_one)["rows"]) >= len(free)


@pytest.mark.parametrize("times", ["fraction", "zulu"])
def test_f08_times_in_other_forms(sandbox: Sandbox, times: str) -> None:
    """A fraction in the asked zone, or an instant of UTC whatever zone was asked; the rows of the same range."""
    space, end = SPACE_AND_FRACTION[times]
    berlin = {**ALL, "timezone": "Europe/Berlin"}
    plain = scan(sandbox, 100, range=ALL if times == "zulu" else berlin)
    under(sandbox, f"times={times}")
    rows = scan(sandbox, 100, range=berlin)
    assert [row["datetime"] for row in rows] == [row["datetime"].replace(" ", space) + end for row in plain]
    assert {row["status_history"][0]["datetime"][19:] for row in rows} == {end}
    if times == "zulu":
        moments = {event.at for event in sandbox.keitaro.oracle.events().values()}
        assert {datetime.fromisoformat(row["datetime"]).astimezone(UTC) for row in rows} == moments


def test_f08_a_scripted_row_with_an_offset_stands_at_its_instant(sandbox: Sandbox) -> None:
    """01:00 at +02:00 is the evening before in UTC."""
    sandbox.keitaro.rows = [{"event_id": "1", "datetime": "2026-01-05T01:00:00.500+02:00"}]
    spans = [{"from": day, "to": day, "timezone": "UTC"} for day in ("2026-01-04", "2026-01-05")]
    assert [log(sandbox, columns=COLUMNS, range=span)["total"] for span in spans] == [1, 0]


def asked(sandbox: Sandbox, groups: str, sums: str) -> Any:
    """The report by day, in these words."""
    wish = {"range": ALL, groups: ["day"], sums: ["clicks", "revenue"]}
    return keitaro(sandbox, "report/build", wish)


def test_f10_the_reports_other_words(sandbox: Sandbox) -> None:
    """`dimensions` and `measures` give what `grouping` and `metrics` gave; each tracker hears its own."""
    older = asked(sandbox, "grouping", "metrics").json()
    assert asked(sandbox, "dimensions", "measures").json()["rows"] == [{}]
    under(sandbox, "report_words=dimensions")
    assert asked(sandbox, "dimensions", "measures").json() == older
    assert len(older["rows"]) > 10
    nothing = asked(sandbox, "grouping", "metrics").json()
    assert (nothing["rows"], nothing["total"]) == ([{}], 1)
    under(sandbox, "report_words=both")
    assert (
        asked(sandbox, "grouping", "metrics").json()
        == asked(sandbox, "dimensions", "measures").json()
        == older
    )


def test_f10_words_that_are_not_known(sandbox: Sandbox) -> None:
    """No row, or a refusal by name; scripted rows do not come either."""
    sandbox.keitaro.report_rows = [{"day": "2026-01-02", "clicks": 1}]
    under(sandbox, "report_words=dimensions")
    assert asked(sandbox, "grouping", "metrics").json()["rows"] == [{}]
    under(sandbox, "report_words=dimensions", "report_unheard=empty")
    assert asked(sandbox, "grouping", "metrics").json()["rows"] == []
    under(sandbox, "report_words=dimensions", "report_unheard=refused")
    refused = asked(sandbox, "grouping", "metrics")
    assert (refused.status, list(refused.json())) == (406, ["dimensions", "measures"])
    assert len(asked(sandbox, "dimensions", "measures").json()["rows"]) == 1


def test_f11_a_bot_check_before_the_tracker(sandbox: Sandbox) -> None:
    """A 403 page for whatever is asked, with the right key too."""
    under(sandbox, "front=bot_check")
    reply = keitaro(sandbox, "campaigns")
    assert (reply.status, reply.headers["Content-Type"]) == (403, "text/html; charset=UTF-8")
    assert "<html>" in reply.text


def test_f11_a_list_that_the_key_may_not_read(sandbox: Sandbox) -> None:
    """A 403 in JSON for it, and the others as ever; a wrong key is a 401."""
    under(sandbox, "forbidden=domains,offers")
    replies = {name: keitaro(sandbox, name) for name in ("campaigns", "domains", "offers")}
    assert {name: reply.status for name, reply in replies.items()} == {
        "campaigns": 200,
        "domains": 403,
        "offers": 403,
    }
    assert list(replies["domains"].json()) == ["error"]
    assert keitaro(sandbox, "domains", **{"Api-Key": "wrong"}).status == 401


@pytest.mark.parametrize("status", ["canceled", "Rejected"])
def test_f14_rejected_by_another_name(sandbox: Sandbox, status: str) -> None:
    """The same conversions are rejected, which their `conversion_type` says; the report counts them as before."""
    plain = scan(sandbox, 100)
    sums = ["rejected", "revenue", "rejected_revenue"]
    before = sandbox.keitaro.oracle.report((), sums)
    under(sandbox, f"rejected_as={status}")
    rows = scan(sandbox, 100)
    assert [row["status"] for row in rows] == [row["status"].replace("rejected", status) for row in plain]
    assert [row["conversion_type"] for row in rows] == [row["conversion_type"] for row in plain]
    assert sum(row["status"] == status for row in rows) == before[0]["rejected"] > 5
    assert sandbox.keitaro.oracle.report((), sums) == before
