"""Under every reading of the document, the feed over HTTP and the oracle without it tell the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Read, Sandbox, Statement, Totals, Variants, World
from conversync.sandbox.besitos import parse_variants, totals, totals_by_offer
from tests.sandbox.asking import scan

FIRST, LAST = date(2025, 12, 1), date(2026, 12, 31)

READINGS = [
    "omitted=originals",
    "true=reversed",
    "true=ignored",
    "false=originals",
    "reversal_dated=original",
    "reversal_sign=negative",
    "reversal_payout=absent",
    "reversal_payout=zero",
    "reverse=text",
    "reverse=boolean",
    "original_disappears=true",
    "zone=America/New_York",
    "numbers_as_text=true",
    "ids_as_text=true",
    "surveys=false",
    "deal_type=offer",
    "to_date_inclusive=false",
    "page_cap=300",
    "order=newest",
    "order=shuffled",
    "repeats=counted",
    "repeats=uncounted",
    "links=full",
    "dates=zulu",
    "withdrawn=3",
    "instalments=2",
    "restated=2",
    "replaced=2",
]


def told(rows: list[dict[str, Any]], zone: str = "EST") -> dict[str, Statement]:
    """Rows as statements, a repeated one once."""
    return {one.event_key: one for one in (Statement.of_row(row, zone) for row in rows)}


@pytest.mark.parametrize("reading", ["", *READINGS])
def test_feed_and_oracle_tell_the_same(reading: str) -> None:
    """All pages of a window, read as JSON, are the statements the oracle derives from the world."""
    variants = parse_variants([reading] if reading else [])
    world = World(days=20, conversions_a_day=20)
    world.now = world.day(40)
    reads = [
        Read(world.now, date(2026, 1, 3), date(2026, 2, 2), is_reverse)
        for is_reverse in (None, "true", "false")
    ]
    with Sandbox(world, variants=variants) as sandbox:
        for read in reads:
            query = {"from_date": read.from_date, "to_date": read.to_date, "per_page": 150}
            rows = scan(sandbox, **query, **({"is_reverse": read.is_reverse} if read.is_reverse else {}))
            assert told(rows, variants.zone) == sandbox.besitos.oracle.standing([read])
        assert sandbox.besitos.reads == reads


def rows_under(variants: Variants, **query: object) -> list[dict[str, Any]]:
    """All that a world of ten days tells at its fortieth."""
    world = World(days=10)
    world.now = world.day(40)
    with Sandbox(world, variants=variants) as sandbox:
        return scan(sandbox, **{"from_date": FIRST, "to_date": LAST, **query})


def test_the_flag_stands_on_reversals_alone() -> None:
    """`reverse` is 1 on a reversal; an original has no such key. A reversal has its original's id."""
    rows = rows_under(Variants())
    flags = [row["reverse"] for row in rows if "reverse" in row]
    taken = {row["transaction_id"] for row in rows if "reverse" in row}
    assert set(flags) == {1}
    assert 9 < len(flags) < 50
    assert taken < {row["transaction_id"] for row in rows if "reverse" not in row}


@pytest.mark.parametrize(
    ("variants", "is_reverse", "expected"),
    [
        (Variants(), None, {"originals", "reversals"}),
        (Variants(omitted="originals"), None, {"originals"}),
        (Variants(), "true", {"reversals"}),
        (Variants(), "1", {"reversals"}),
        (Variants(true="reversed"), "true", {"originals", "reversals"}),
        (Variants(true="ignored", omitted="originals"), "true", {"originals"}),
        (Variants(), "false", {"reversals"}),
        (Variants(), "0", {"originals"}),
        (Variants(false="originals"), "false", {"originals"}),
    ],
)
def test_readings_of_is_reverse(variants: Variants, is_reverse: str | None, expected: set[str]) -> None:
    """Which kinds of row come, for every reading of the parameter."""
    rows = rows_under(variants, **({"is_reverse": is_reverse} if is_reverse else {}))
    assert {"reversals" if "reverse" in row else "originals" for row in rows} == expected


def test_reversed_events_are_the_reversals_and_their_originals() -> None:
    """And no other original."""
    rows = rows_under(Variants(true="reversed"), is_reverse="true")
    taken = [row["transaction_id"] for row in rows if "reverse" in row]
    kept = [row["transaction_id"] for row in rows if "reverse" not in row]
    assert sorted(taken) == sorted(kept)


def test_a_reversal_says_what_the_variant_has_it_say() -> None:
    """Payout present, absent or 0; rewards of either sign; its own date or the original's."""
    plain = rows_under(Variants(), is_reverse="true")
    absent = rows_under(Variants(reversal_payout="absent"), is_reverse="true")
    zero = rows_under(Variants(reversal_payout="zero"), is_reverse="true")
    negative = rows_under(Variants(reversal_sign="negative"), is_reverse="true")
    assert [row for row in absent if "payout" in row] == []
    assert {row["payout"] for row in zero} == {0}
    assert [-row["reward"] for row in negative] == [row["reward"] for row in plain]
    backdated = rows_under(Variants(reversal_dated="original"), omitted="both")
    dates: dict[int, set[str]] = {}
    for row in backdated:
        dates.setdefault(row["transaction_id"], set()).add(row["date_time"])
    assert {len(times) for times in dates.values()} == {1}


def test_to_date_may_end_with_its_first_second() -> None:
    """Exclusive, the last day holds the events of 00:00:00 alone; inclusive, all of it."""
    day = date(2026, 1, 9)
    whole = rows_under(Variants(), from_date=day, to_date=day)
    second = rows_under(Variants(to_date_inclusive=False), from_date=day, to_date=day)
    assert {row["date_time"][:10] for row in whole} == {str(day)}
    assert [row for row in whole if row["date_time"].endswith("00:00:00")] == second != whole


def test_without_dates_the_last_seven_days_come() -> None:
    """Up to the clock's day in the vendor's zone."""
    world = World(days=30)
    with Sandbox(world) as sandbox:
        days = {row["date_time"][:10] for row in scan(sandbox)}
    assert (min(days), max(days)) == ("2026-01-23", "2026-01-30")


def test_filters_by_user_offer_and_type() -> None:
    """A user's id is found in any letters' case; offer and type exactly."""
    rows = rows_under(Variants())
    one = rows[0]
    user, offer = one["user_id"].swapcase(), one["offer_id"]
    same_user = [row for row in rows if row["user_id"].casefold() == one["user_id"].casefold()]
    assert rows_under(Variants(), user_id=user) == same_user
    assert rows_under(Variants(), offer_id=offer) == [row for row in rows if row["offer_id"] == offer]
    assert rows_under(Variants(), type="survey") == [row for row in rows if row["type"] == "survey"]
    assert rows_under(Variants(), type="survey")[0]["survey_id"]


def test_new_york_is_an_hour_ahead_in_summer() -> None:
    """EST is -05:00 all year; the account's zone may observe daylight saving instead."""
    world = World(start=date(2026, 7, 1), days=2)
    with Sandbox(world) as sandbox:
        window = {"from_date": "2026-06-01", "to_date": "2026-08-01"}
        fixed = scan(sandbox, **window)
        sandbox.besitos.variants = Variants(zone="America/New_York")
        summer = scan(sandbox, **window)
    pairs = list(zip(told(fixed).values(), told(summer, "America/New_York").values(), strict=True))
    assert {a.occurred_at - b.occurred_at for a, b in pairs} == {timedelta(0)}
    assert {a.date_time == b.date_time for a, b in pairs} == {False}


def row(number: int, payout: str, reward: str, **more: object) -> dict[str, object]:
    """A scripted row of offer A."""
    base = {"transaction_id": number, "payout": Decimal(payout), "reward": Decimal(reward), "offer_id": "A"}
    return {**base, "user_id": "Ab", "date_time": "2026-01-01 22:00:00", **more}


def test_totals_by_hand() -> None:
    """Net is original less the reversal's absolute amount; a null payout subtracts 0, an orphan nets 0."""
    said = [
        row(1, "11.05", "0"),
        row(2, "3", "40"),
        row(2, "-1.50", "-20", reverse=1),
        row(3, "5", "2", offer_id="B"),
        {**row(3, "0", "2", reverse="1", offer_id="B"), "payout": None},
        row(4, "-2", "0"),
        row(4, "2", "0", reverse=True),
        row(9, "7", "1", reverse=1),
    ]
    statements = [Statement.of_row(one) for one in said]
    d = Decimal
    assert totals(statements) == Totals(4, 4, 1, d("17.05"), d("6.5"), d("17.55"), d("42"), d("23"), d("20"))
    assert totals_by_offer(statements)["B"] == Totals(1, 1, 0, d(5), d(0), d(5), d(2), d(2), d(0))
    assert sum(totals_by_offer(statements).values(), Totals()) == totals(statements)
    again = [*statements, Statement.of_row(row(2, "-1", "-5", reverse=1, date_time="2026-01-03 22:00:00"))]
    assert totals(again) == replace(
        totals(statements),
        reversed_payout=d("7.5"),
        net_payout=d("16.55"),
        reversed_reward=d(28),
        net_reward=d(15),
    )
    with pytest.raises(ValueError, match="1:original is stated twice"):
        totals([statements[0], statements[0]])


def test_a_rows_statement_by_hand() -> None:
    """The sample's first row, as a reader must hold it."""
    text = (
        '{"user_id":"asdfn-234ghhH","transaction_id":"2601266","reward":0,"payout":11.05,"reverse":0,'
        '"date_time":"2024-12-04 20:24:55"}'
    )
    one = Statement.of_row(text)
    assert (one.event_key, one.is_reversal, one.user_key) == ("2601266:original", False, "asdfn-234ghhh")
    assert (one.payout, one.reward, one.reward_local_currency) == (Decimal("11.05"), Decimal(0), None)
    assert one.occurred_at.isoformat() == "2024-12-05T01:24:55+00:00"
    assert one.occurred_on == date(2024, 12, 4)
    taken = [
        Statement.of_row(text.replace('"reverse":0', '"reverse":1').replace("2024-12-04 20:24:55", told))
        for told in ("2024-12-04 20:24:55", "2024-12-05T01:24:55.000000Z", "2024-12-05T01:24:55+00:00")
    ]
    assert {(one.event_key, str(one.occurred_on)) for one in taken} == {
        ("2601266:reversal:2024-12-04 20:24:55:0.000000", "2024-12-04")
    }


def test_held_keeps_every_statement_in_order() -> None:
    """A restated event is A, B, A over three nights; a fourth that repeats it adds nothing."""
    world = World()
    one = next(one for one in world.conversions if len(one.tellings) == 3)
    nights = [telling.at for telling in one.tellings]
    reads = [Read(night, FIRST, LAST) for night in (*nights, nights[-1] + timedelta(days=200))]
    with Sandbox(world) as sandbox:
        history = sandbox.besitos.oracle.held(reads)[f"{one.transaction_id}:original"]
    payouts = [telling.amounts.payout for telling in one.tellings]
    assert [statement.payout for statement in history] == payouts
    assert payouts[0] == payouts[2] != payouts[1]


def test_what_left_the_feed_keeps_its_last_statement() -> None:
    """An original that disappears once reversed is still held by who read it before."""
    world = World()
    one = next(one for one in world.conversions if one.reversal and len(one.tellings) == 1)
    assert one.reversal is not None
    before = Read(one.tellings[0].at, FIRST, LAST)
    after = replace(before, clock=one.reversal.tellings[0].at + timedelta(days=1))
    with Sandbox(world, variants=Variants(original_disappears=True)) as sandbox:
        oracle = sandbox.besitos.oracle
        kinds = [
            [
                said.is_reversal
                for said in oracle.standing(reads).values()
                if said.transaction_id == one.transaction_id
            ]
            for reads in ([after], [before, after])
        ]
        assert kinds == [[True], [False, True]]


def test_the_oracles_totals_are_the_sums_of_the_rows() -> None:
    """Added up from the JSON by the shortest means."""
    world = World()
    with Sandbox(world) as sandbox:
        rows = scan(sandbox, from_date=FIRST, to_date=LAST)
        expected = sandbox.besitos.oracle.totals()
    gross = sum((one["payout"] for one in rows if "reverse" not in one), Decimal(0))
    taken = sum((one["payout"] for one in rows if "reverse" in one), Decimal(0))
    assert (gross, taken, gross - taken) == (
        expected.gross_payout,
        expected.reversed_payout,
        expected.net_payout,
    )
    assert expected.conversions + expected.reversals == len(rows)


@pytest.mark.parametrize("wrong", ["page_caps=1", "order=sideways", "surveys=1", "page_cap=many"])
def test_a_wrong_variant_is_refused(wrong: str) -> None:
    """By name or by value."""
    with pytest.raises(ValueError, match=r"variant|many"):
        parse_variants([wrong])
