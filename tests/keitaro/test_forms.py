"""The forms in which trackers answer: what is plainly one thing is that thing, and what an answer says of an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from conversync.cli.output import notes
from conversync.errors import CredentialsError, InvalidResponseError
from conversync.monitor.verify import verify
from conversync.sandbox import Fault, World
from conversync.sandbox.keitaro import Variants
from conversync.send.reconcile import reconcile
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse
from tests.houses import VendorWorkspace
from tests.keitaro.books import (
    LOG,
    REPORT,
    body,
    conversion,
    expected,
    held,
    money,
    report_expected,
    report_held,
)
from tests.keitaro.conftest import MakeHouse
from tests.support import Quiet, sometimes, tables

COLUMNS = ("day", "campaign_id", "clicks", "conversions", "revenue", "cost")


def small() -> World:
    """Three days, and what became of them in thirty more."""
    world = World(days=3, conversions_a_day=5)
    world.now = world.day(33)
    return world


@pytest.mark.more
@pytest.mark.parametrize("times", sometimes("zulu", "fraction", quick=1))
def test_f08_times_in_other_forms_are_the_same_times(make_house: MakeHouse, times: Any) -> None:
    """Fractions, and instants with their offset: the statements of the plain form; after an upgrade nothing is new."""
    house = make_house(small())
    house.load()
    before = tables(house.path, "keitaro")
    house.sandbox.keitaro.variants = Variants(times=times)
    report = house.load()
    assert (report.total("added"), report.total("restated"), report.known_rejected) == (0, 0, 0)
    assert tables(house.path, "keitaro") == before
    [[newest]] = house.query("select max(occurred_at) from keitaro.conversion_events")
    house.sandbox.keitaro.rows = [conversion(1, datetime=f"{newest:%Y-%m-%dT%H:%M:%S}.250000+00:00")]
    house.load()
    query = "select occurred_at - ?::timestamptz, revenue from keitaro.conversion_events where conversion_id = 'c1'"
    [[later, _]] = house.query(query.replace("?", f"'{newest.isoformat()}'"))
    assert later.total_seconds() == 0.25


def test_f08_amounts_that_are_empty_are_none(make_house: MakeHouse) -> None:
    """`revenue: ""` states no amount: the row is loaded, and no row is set aside."""
    house = make_house(small(), Variants(zero="empty"))
    house.load()
    assert held(house).keys() == expected(house).keys()
    [[empty]] = house.query(
        "select count(*) filter (cost is null or revenue is null) from keitaro.conversion_events"
    )
    house.sandbox.keitaro.rows = [conversion(1, revenue=""), conversion(2, revenue=" 1.50 "), conversion(3)]
    house.load()
    revenues = house.query(
        "select revenue from keitaro.conversions where tid in ('t1', 't2', 't3') order by tid"
    )
    assert [one for [one] in revenues] == [None, money("1.5"), money("1.5")]
    assert house.query("select count(*) from keitaro.rejected_rows") == [(0,)]
    assert empty is not None


def test_f09_columns_asked_by_one_name_and_answered_by_the_other(make_house: MakeHouse) -> None:
    """The older names are taken, and `event_id` and `datetime` come back: every conversion is there."""
    house = make_house(small(), Variants(generation="old", names="new"))
    house.load()
    served = house.asked(LOG)[-1]
    assert "event_id" not in body(served)["columns"]
    assert held(house) == expected(house)
    rows = house.query("select date_time, occurred_at, extra from keitaro.conversion_events")
    assert rows
    assert all(text and at and extra is None for text, at, extra in rows)


@pytest.mark.more
@pytest.mark.parametrize("unheard", sometimes("dropped", "refused", "empty", quick=2))
def test_f10_a_report_that_hears_only_the_other_words(make_house: MakeHouse, unheard: Any) -> None:
    """Asked again with dimensions and measures, whatever the first words bring; and first with them from then on."""
    world = small()
    house = make_house(world, Variants(report_words="dimensions", report_unheard=unheard))
    wanted = report_expected(house, COLUMNS[:2], COLUMNS[2:], world.start, world.now.date())
    house.load()
    assert report_held(house, ", ".join(COLUMNS)) == wanted
    seen = len(house.sandbox.requests)
    house.load()
    assert report_held(house, ", ".join(COLUMNS)) == wanted
    asked = [body(one) for one in house.asked(REPORT, seen)]
    assert asked
    assert all("dimensions" in one and "grouping" not in one for one in asked)


@pytest.mark.parametrize("words", sometimes("dimensions", "grouping", quick=1))
def test_f10_a_window_without_clicks_is_an_empty_one(make_house: MakeHouse, words: Any) -> None:
    """Whichever words are heard: no row in the one, and a row of nothing in the other, is a report without rows."""
    house = make_house(World(days=3, conversions_a_day=5), Variants(report_words=words))
    house.load("2025-01-01", "2025-01-03")
    assert report_held(house, "day") == {}


# id -> (conversion_type, status, kind)
KINDS = {
    "the type first": ("rejected", "canceled", "rejected"),
    "the type in other letters": ("Rejected", "Canceled", "rejected"),
    "the status in other letters": (None, " Rejected", "rejected"),
    "trash": (None, "TRASH", "rejected"),
    "the type over the status": ("sale", "rejected", "sale"),
    "an empty type": ("", "trash", "rejected"),
    "a type that says nothing": ("conversion", "Deposit", "sale"),
    "a rebill": ("rebill", "sale2", "rebill"),
    "a lead": (None, "registration", "lead"),
    "unknown": (None, "Canceled by\nnetwork", None),
    "unknown both": ("other", "hold", None),
    "nothing told": (None, None, None),
}


@pytest.mark.more
def test_f14_what_takes_money_back_is_the_kind_not_the_word(house: VendorWorkspace) -> None:
    """conversion_type first, else the status in lower case; what is of no kind counts, is told once, and countable."""
    told = [
        conversion(number, conversion_type=type_, status=status, revenue=number + 1)
        for number, (type_, status, _) in enumerate(KINDS.values())
    ]
    house.sandbox.keitaro.rows = told
    report = house.run()
    assert report.exit_code == 3, "revenue that may not be any"
    rows = house.query("select kind, is_rejected from keitaro.conversions order by revenue")
    assert rows == [(kind, kind == "rejected") for _, _, kind in KINDS.values()]
    strange = "Canceled by network, hold"
    sentence = (
        f"we do not know what the tracker's statuses {strange} mean, so their revenue counts as earned: "
        "see the conversions whose kind is null"
    )
    assert [line for line in report.notes if "statuses" in line] == [sentence]
    # The summary's reversals are counted by the same rule.
    assert report.total("reversals") == sum(kind == "rejected" for _, _, kind in KINDS.values())
    house.sandbox.keitaro.rows = [*told, conversion(20, status="hold")]
    assert not [line for line in house.load().notes if "statuses" in line]
    house.sandbox.keitaro.rows = [*told, conversion(21, status="frozen")]
    assert "statuses frozen mean" in "".join(house.run().notes)


@pytest.mark.more
@pytest.mark.parametrize("word", sometimes("canceled", "Rejected", quick=1))
def test_f14_a_tracker_that_rejects_in_words_of_its_own(make_house: MakeHouse, word: Any) -> None:
    """They are rejected as those of a tracker that says so plainly: the same money, and no strange status."""
    sums = []
    for rejected_as in ("rejected", word):
        house = make_house(small(), Variants(rejected_as=rejected_as))
        house.folder = house.folder / rejected_as
        house.folder.mkdir()
        report = house.load()
        assert not [line for line in notes(report) if "statuses" in line]
        sums.append(
            house.query(
                "select is_rejected, count(*), sum(revenue) from keitaro.conversions group by all order by all"
            )
        )
    assert sums[0] == sums[1]
    assert [row[0] for row in sums[0]] == [False, True]


@pytest.mark.more
def test_f14_when_a_rejection_was_seen_is_when_it_last_began(house: VendorWorkspace) -> None:
    """A conversion that was approved again in between was not rejected then."""
    seen = []
    for status in ("rejected", "sale", "Rejected", "trash"):
        house.sandbox.keitaro.rows = [conversion(1, status=status), conversion(2)]
        house.load()
        [[at, rejected]] = house.query(
            "select rejection_seen_at, is_rejected from keitaro.conversions where conversion_id = 'c1'"
        )
        seen.append(at)
        assert rejected == (status != "sale") == (at is not None)
    [starts] = [
        house.query("select valid_from from keitaro.conversion_events where conversion_id = 'c1' order by 1")
    ]
    assert (seen[0], seen[2], seen[3]) == (starts[0][0], starts[2][0], starts[2][0])
    assert house.query("select rejection_seen_at from keitaro.conversions where conversion_id = 'c2'") == [
        (None,)
    ]


def test_s22_revenue_is_never_summed_across_currencies(house: VendorWorkspace) -> None:
    """A conversion keeps its own currency, one that tells none has none, and what compares sums does so by currency."""
    house.sandbox.keitaro.rows = [
        conversion(1, currency="EUR", revenue=5),
        conversion(2, currency="USD", revenue=7),
        conversion(3, revenue=11),
        conversion(4, currency="", revenue=13),
    ]
    house.load()
    query = "select currency, revenue from keitaro.conversions order by revenue"
    assert house.query(query) == [
        ("EUR", money("5")),
        ("USD", money("7")),
        (None, money("11")),
        ("", money("13")),
    ]
    with house.set():
        day = datetime(2026, 1, 5, tzinfo=UTC).date()
        vendor = house.vendor or vendors()["keitaro"]
        [found] = verify(Warehouse(house.path), [vendor], day, day, Quiet())
    assert found.error is None
    [events] = [table for table in found.tables if table.table == "conversion_events"]
    assert events.here.sums == events.vendor.sums
    assert {name: sums["revenue"] for name, sums in events.here.sums.items() if name in ("EUR", "USD")} == {
        "EUR": "5.000000",
        "USD": "7.000000",
    }


@pytest.mark.more
@pytest.mark.parametrize(
    ("path", "told", "error", "sentence"),
    sometimes(
        (
            LOG,
            {"error": "Database is gone"},
            InvalidResponseError,
            "conversions/log with an error instead of data",
        ),
        (REPORT, {"success": False}, InvalidResponseError, "report/build with an error instead of data"),
        (
            REPORT,
            {"status": "401"},
            CredentialsError,
            "Keitaro refused the API key (401). Check keitaro_api_key",
        ),
        quick=2,
    ),
)
def test_b10_an_envelope_that_speaks_of_an_error_is_one(
    house: VendorWorkspace, path: str, told: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Though HTTP says 200 and there is no row: no day is cleared, and the next night is right."""
    house.sandbox.keitaro.rows = [conversion(1)]
    house.sandbox.keitaro.report_rows = [
        {"day": "2026-01-05", "campaign_id": 1, "clicks": 5, "conversions": 1}
    ]
    house.load()
    before = tables(house.path, "keitaro")

    def fails(document: dict[str, Any], _query: object) -> dict[str, Any]:
        return {**document, "rows": [], "total": 0, **told} if "rows" in document else document

    fault = house.sandbox.faults.add(Fault(path=path, mutate=fails))
    report = house.run()
    assert isinstance(report.error, error)
    assert sentence in str(report.error)
    assert report.exit_code == (5 if error is CredentialsError else 6)
    assert fault.delivered >= 1
    assert tables(house.path, "keitaro") == before
    house.sandbox.faults.clear()
    house.load()
    assert tables(house.path, "keitaro") == before


def test_f05_rows_under_numbers_are_rows(make_house: MakeHouse) -> None:
    """A log and a report whose rows are an object with digit keys: the same tables."""
    house = make_house(small())
    house.load()
    before = tables(house.path, "keitaro")

    def filtered(document: Any, _query: object) -> Any:
        if not document.get("rows"):
            return document
        return {**document, "rows": {str(2 * number): row for number, row in enumerate(document["rows"])}}

    fault = house.sandbox.faults.add(Fault(path="/admin_api/v1/*", method="POST", mutate=filtered))
    report = house.load()
    assert (report.total("added"), report.total("restated")) == (0, 0)
    assert tables(house.path, "keitaro") == before
    assert fault.delivered >= 2


def test_f06_what_is_plainly_one_value_is_that_value(house: VendorWorkspace) -> None:
    """Ids and counts with noughts, empty lists for nothing: loaded, and what was empty is kept beside."""
    house.sandbox.keitaro.rows = [
        json.dumps(conversion(1, event_id=24.0, version=3.0, campaign_id=" 7 ", tid=[])),
        json.dumps(conversion(2, sub_id_1={}, status_history=[])),
    ]
    report = house.load()
    rows = house.query(
        "select conversion_id, version, campaign_id, tid, status_history, extra from keitaro.conversion_events "
        "order by conversion_id"
    )
    assert rows == [("24", 3, 7, None, None, '{"tid":[]}'), ("c2", None, None, "t2", "[]", '{"sub_id_1":{}}')]
    assert report.unknown_fields == {}


def test_f14_reconcile_knows_the_same_words(house: VendorWorkspace) -> None:
    """A conversion that was sent as rejected is there as rejected, whatever the tracker calls it."""
    house.sandbox.keitaro.rows = [conversion(1, conversion_type="rejected", status="canceled", revenue=1)]
    house.load()
    with duckdb.connect(str(house.path)) as warehouse:
        warehouse.execute("create schema sent")
        warehouse.execute(
            "create table sent.keitaro_conversions as select 'k1' as send_key, 'sent' as status, "
            """'{"subid": "s1", "tid": "t1", "status": "rejected", "payout": "1"}' as content, '{}' as answer, """
            "timestamptz '2026-01-05 10:00:00+00' as sent_at"
        )
    found = reconcile(Warehouse(house.path), "keitaro")
    assert (found.sent, found.agree, found.differences) == (1, 1, [])
