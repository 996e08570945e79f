"""The log's pages: their order, their sizes, scripted rows, faults, and requests that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.keitaro import Variants
from conversync.sandbox.messages import Raw
from conversync.sandbox.readings import parse
from tests.sandbox.asking import call, keitaro
from tests.sandbox.tracker import ALL, log, scan


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Ten days of conversions, with the clock a month later."""
    world = World(days=10)
    world.now = world.day(40)
    with Sandbox(world) as running:
        yield running


def test_without_a_sort_the_order_means_nothing(sandbox: Sandbox) -> None:
    """By default it is at least the same at every request; on an unstable tracker not even that."""
    first, second = (log(sandbox)["rows"] for _ in range(2))
    assert first == second != sorted(first, key=lambda row: row["datetime"])
    sandbox.keitaro.variants = Variants(order="unstable")
    third, fourth = (log(sandbox)["rows"] for _ in range(2))
    assert third != fourth
    assert len({row["event_id"] for row in scan(sandbox, 50)}) == len(first)
    by_status = [scan(sandbox, 50, sort=[{"name": "status", "order": "DESC"}]) for _ in range(2)]
    assert len({row["event_id"] for row in by_status[0]}) < len(first)
    assert [row["status"] for row in by_status[0]] == sorted((row["status"] for row in first), reverse=True)


@pytest.mark.parametrize(
    ("reading", "rows", "total"),
    [
        ("total=more", 5, 13),
        ("total=less", 5, 11),
        ("total=page", 5, 5),
        ("total=text", 5, "12"),
        ("total=absent", 5, None),
        ("short_page=true", 4, 12),
        ("page_cap=3", 3, 12),
    ],
)
def test_what_may_be_wrong_with_a_page(sandbox: Sandbox, reading: str, rows: int, total: object) -> None:
    """The second page of twelve rows, five a page."""
    sandbox.keitaro.rows = [{"event_id": str(number)} for number in range(12)]
    sandbox.keitaro.variants = parse([reading], Variants())
    page = log(sandbox, columns=["event_id"], limit=5, offset=5)
    assert (len(page["rows"]), page.get("total")) == (rows, total)


def test_amounts_are_sorted_as_numbers_however_they_are_written(sandbox: Sandbox) -> None:
    """9.50 comes before 10, as text too."""
    sandbox.keitaro.variants = Variants(amounts="text")
    rows = log(sandbox, sort=[{"name": "revenue", "order": "ASC"}])["rows"]
    amounts = [Decimal(row["revenue"]) for row in rows]
    assert amounts == sorted(amounts)
    assert [row["revenue"] for row in rows] != sorted(row["revenue"] for row in rows)


def test_pages_may_repeat_the_first(sandbox: Sandbox) -> None:
    """The offset is not heard."""
    sandbox.keitaro.rows = [{"event_id": str(number)} for number in range(12)]
    sandbox.keitaro.variants = Variants(repeats="first")
    pages = [log(sandbox, columns=["event_id"], limit=5, offset=offset)["rows"] for offset in (0, 5)]
    assert pages[0] == pages[1]


def test_without_a_limit_a_hundred_come(sandbox: Sandbox) -> None:
    """As a tracker may have it; 0 is no limit."""
    body = {"range": ALL, "columns": ["tid"]}
    assert len(keitaro(sandbox, "conversions/log", body).json()["rows"]) == 100
    assert len(keitaro(sandbox, "conversions/log", {**body, "limit": 0}).json()["rows"]) > 300


def test_scripted_rows(sandbox: Sandbox) -> None:
    """Objects are cut to the asked columns, text goes out verbatim; ranges and sorts read what they can."""
    sandbox.keitaro.rows = [
        {"event_id": "b", "datetime": "2026-01-02 00:00:00", "revenue": Decimal("1.1"), "odd": 1},
        '{"event_id":"a","datetime":"2026-01-01 23:59:59","revenue":1.10,"tid":"x"}',
        {"event_id": "c", "datetime": "later"},
        b'{"event_id":"\xff"',
    ]
    day = {"from": "2026-01-02", "to": "2026-01-02", "timezone": "UTC"}
    body = {"range": day, "columns": ["event_id", "odd"], "limit": 9, "sort": [{"name": "event_id"}]}
    reply = keitaro(sandbox, "conversions/log", body)
    assert reply.body.startswith(
        b'{"rows":[{"event_id":"\xff",{"event_id":"b","odd":1},{"event_id":"c"}],"total":3'
    )
    whole = keitaro(sandbox, "conversions/log", {**body, "range": ALL, "offset": 1, "limit": 1})
    assert '"rows":[{"event_id":"a","datetime":"2026-01-01 23:59:59","revenue":1.10,"tid":"x"}]' in whole.text
    sandbox.keitaro.rows = None
    assert log(sandbox)["total"] > 300


def test_arrivals_between_pages(sandbox: Sandbox) -> None:
    """The clock moves on before every other request, so a total grows and conversions move on."""
    sandbox.world.now = sandbox.world.day(4)
    sandbox.keitaro.variants = Variants(arrivals_every=2, arrivals_hours=24)
    totals = [log(sandbox)["total"] for _ in range(4)]
    assert totals[0] < totals[1] == totals[2] < totals[3]


def test_faults_find_a_page_by_its_body(sandbox: Sandbox) -> None:
    """`json` names members of what was posted; attempts count by body; rows can be changed and be Raw."""

    def change(document: Any, _: Any) -> Any:
        document["rows"][0] = Raw('{"event_id":1.50}')
        return document

    fault = sandbox.faults.add(Fault(json={"offset": 5}, attempts=range(1, 3), status=500))
    page = {"columns": ["event_id"], "limit": 5}
    statuses = [
        keitaro(sandbox, "conversions/log", {**page, "offset": offset}).status for offset in (0, 5, 5, 5, 10)
    ]
    assert statuses == [200, 500, 500, 200, 200]
    assert fault.delivered == 2
    once = sandbox.faults.add(Fault(path="*/log", attempts=[1], status=503))
    offsets = (20, 25, 20, 25)
    statuses = [keitaro(sandbox, "conversions/log", {**page, "offset": one}).status for one in offsets]
    assert (statuses, once.delivered) == ([503, 503, 200, 200], 2)
    sandbox.faults.clear()
    sandbox.faults.add(Fault(json={"offset": 7}, mutate=change))
    changed = keitaro(sandbox, "conversions/log", {**page, "offset": 7})
    assert changed.text.startswith('{"rows":[{"event_id":1.50},{"event_id":"')


def test_who_may_ask(sandbox: Sandbox) -> None:
    """Api-Key, or Bearer; else 401. 402 without the API, and pages that are no API at all."""
    path, key = "/admin_api/v1/conversions/log", sandbox.keitaro.api_key
    assert call(sandbox, "POST", path, {"Authorization": f"Bearer {key}"}, {}).status == 200
    refused = call(sandbox, "POST", path, {"Api-Key": "x"}, {})
    assert (refused.status, list(refused.json())) == (401, ["error"])
    sandbox.keitaro.variants = Variants(edition="no_api")
    reply = keitaro(sandbox, "campaigns")
    assert (reply.status, list(reply.json())) == (402, ["error"])
    for front, status in (("html_200", 200), ("html_404", 404)):
        sandbox.keitaro.variants = parse([f"front={front}"], Variants())
        page = keitaro(sandbox, "campaigns")
        assert (page.status, page.headers["Content-Type"]) == (status, "text/html; charset=UTF-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": -1},
        {"limit": "100"},
        {"offset": 1.5},
        {"columns": "tid"},
        {"range": "2026-01-01"},
        {"range": {"from": "yesterday"}},
        {"range": {"from": "2026-01-01", "timezone": "Mars/Olympus"}},
        {"filters": [{"name": "tid"}]},
        {"sort": ["tid"]},
        {"sort": [{"name": "tid", "order": "UP"}]},
    ],
)
def test_a_request_that_makes_no_sense_is_a_406(sandbox: Sandbox, wrong: dict[str, object]) -> None:
    """Each field with a list of messages."""
    reply = keitaro(sandbox, "conversions/log", wrong)
    (messages,) = reply.json().values()
    assert reply.status == 406
    assert [type(one) for one in messages] == [str]


def test_a_conversion_leaves_between_two_pages_and_one_is_spoilt(sandbox: Sandbox) -> None:
    """The first row asked for is gone for good; a revenue is no number while the variant names its conversion."""
    sandbox.keitaro.rows = [{"event_id": str(number), "revenue": 1} for number in range(7)]
    sandbox.keitaro.variants = Variants(departures=1, unreadable="2")
    asked = [
        log(sandbox, columns=["event_id", "revenue"], limit=2, offset=offset)["rows"] for offset in (0, 2)
    ]
    assert [[row["event_id"] for row in rows] for rows in asked] == [["0", "1"], ["3", "4"]]
    rows = log(sandbox, columns=["event_id", "revenue"], limit=10)["rows"]
    assert [(row["event_id"], row["revenue"]) for row in rows[:2]] == [("1", 1), ("2", "n/a")]
