"""Why a figure moved: transactions that add up to the difference exactly; and one transaction's life."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conversync.books import explained, lines, store
from conversync.errors import SettingsError
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger, Rows
from tests.books.nights import DAYS, FIRST, Feed
from tests.books.test_closing import close
from tests.support import command

MakeLedger = Callable[..., Ledger]
BESITOS = [vendors()["besitos"]]


def nets(house: Ledger, said: Rows, days: lines.Period, offer: str | None) -> dict[str, Decimal]:
    """The net revenue by currency that the view told, of rows as they were kept that night."""
    names = [name for [name] in house.query("select column_name from (describe besitos.conversions)")]
    sums: dict[str, Decimal] = {}
    for values in said:
        one: dict[str, Any] = dict(zip(names, values, strict=True))
        if days.first <= one["occurred_on"] <= days.last and offer in (None, one["offer_id"]):
            sums[one["currency"]] = sums.get(one["currency"], Decimal(0)) + one["net_payout"]
    return sums


def differences(
    house: Ledger, folder: Path, days: lines.Period, since: str | None, offer: str | None = None
) -> list[explained.Difference]:
    """As the command asks."""
    with house.set(), store.reading(Warehouse(house.path), folder) as client:
        return explained.differences(client, BESITOS, days, since, offer)


def explained_exactly(house: Ledger, folder: Path, drawn: random.Random) -> int:
    """How many figures moved between what some night said and now; of a day, of a month, of an offer."""
    moment, said = drawn.choice(house.said)
    day = FIRST + timedelta(days=drawn.randrange(DAYS))
    month = lines.period_of(f"{day:%Y-%m}")
    days = drawn.choice((lines.Period(str(day), day, day), month, month))
    offer = drawn.choice((None, None, "aB1"))
    before, now = (nets(house, one, days, offer) for one in (said, house.said[-1][1]))
    wanted = {
        currency: now.get(currency, Decimal(0)) - before.get(currency, Decimal(0))
        for currency in before.keys() | now.keys()
    }
    moved = {currency: difference for currency, difference in wanted.items() if difference}
    found = differences(house, folder, days, moment.isoformat(), offer)
    assert {one.currency: one.difference for one in found if one.difference} == moved
    for one in found:
        assert sum(own.change for own in one.transactions) == one.difference
    return len(moved)


def test_a_hundred_differences_are_explained_exactly(make_ledger: MakeLedger, tmp_path: Path) -> None:
    """A hundred figures that moved, between what any night said and the newest one."""
    house, drawn, told = make_ledger(besitos_withdrawn_counts="false"), random.Random(1), 0
    for rows in Feed(4).tell(10):
        house.night(rows)
        told += sum(explained_exactly(house, tmp_path / "dlt", drawn) for _ in range(8))
    while told < 100:
        told += explained_exactly(house, tmp_path / "dlt", drawn)


def test_the_command_says_it_as_json(make_ledger: MakeLedger) -> None:
    """Money as text; of several currencies one is to be chosen."""
    house = make_ledger()
    house.night([row(1, payout=12.40), row(2, payout=5, currency="EUR"), row(3, payout=2)])
    close(house, "2024-12")
    rows = [row(1, payout=12.40), reversal(1, payout=12.40), row(2, payout=5, currency="EUR")]
    house.night([*rows, row(3, payout=3)])

    def explain(*asked: str) -> Any:
        return command("explain", *asked, cwd=house.folder, environment=house.environment)

    told = explain("--period", "2024-12", "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out) == {
        "vendor": "besitos",
        "currency": "USD",
        "difference": "-11.40",
        "changes": 2,
        "transactions": [
            {"transaction_id": "1", "change": "-12.40", "reason": "reversal"},
            {"transaction_id": "3", "change": "1.00", "reason": "restatement"},
        ],
    }
    day = ("--day", "2024-12-04", "--since", "2024-12-05")
    several = explain(*day, "--json")
    assert (several.code, "Several figures moved (besitos EUR, besitos USD)" in several.err) == (2, True)
    text = explain(*day, "--currency", "eur")
    assert text.out == "besitos EUR: +5.00 (1 change)\n  +5.00  2  history\n"
    assert explain("--day", "2024-12-04").code == 2
    assert explain().code == 2


def test_changes_that_undo_each_other_are_counted_as_the_books_do(make_ledger: MakeLedger) -> None:
    """Restated and restated back: two changes in both, and the transaction that moved the figure by nothing."""
    house = make_ledger()
    for payout in (2, 3, 2):
        house.night([row(1, payout=5, currency="EUR"), row(3, payout=payout)])
        if not house.query("select 1 from duckdb_schemas() where schema_name = 'books'"):
            close(house, "2024-12")

    def told(*asked: str) -> str:
        return str(command(*asked, cwd=house.folder, environment=house.environment).out)

    assert "besitos USD: reported 2.00, corrections 0.00 (2 changes), known now 2.00" in told("books")
    explained_so = "besitos USD: 0.00 (2 changes)\n  0.00  3  restatement\n"
    assert told("explain", "--period", "2024-12") == explained_so
    assert json.loads(told("explain", "--period", "2024-12", "--json"))["changes"] == 2


def test_a_transactions_life_is_told(make_ledger: MakeLedger) -> None:
    """Every statement with the load and the window that brought it, what followed, and where it stands."""
    house = make_ledger()
    house.night([row(1, payout=10), row(2)])
    close(house, "2024-12")
    house.night([row(1, payout=12), reversal(1, payout=4), row(2)])
    told = command("explain", "1", "--json", cwd=house.folder, environment=house.environment)
    assert told.code == 0, told.err
    document = json.loads(told.out)
    [life] = document["vendors"]
    assert (document["transaction_id"], life["vendor"], life["periods"]) == ("1", "besitos", ["2024-12"])
    held = house.query(
        "select event_key, statement_hash, _dlt_load_id from besitos.conversion_events where transaction_id = 1 "
        "order by valid_from, event_key"
    )
    assert [
        (one["event_key"], one["statement_hash"], one["_dlt_load_id"]) for one in life["statements"]
    ] == held
    assert len(held) == 3
    assert all(
        "conversions 2024-11-20 .. 2024-12-13" in one["windows"]
        for one in life["statements"]
        if "original" in one["event_key"]
    )
    assert next((one["reason"], one["net_change"]) for one in life["changes"]) == ("history", "10.00")
    assert sum(Decimal(one["net_change"]) for one in life["changes"]) == 8
    text = command("explain", "1", cwd=house.folder, environment=house.environment)
    assert text.out.startswith("besitos 1, in closed 2024-12\n  learned ")
    house.night([row(7, payout=12), row(2)])
    gone = command("explain", "1", cwd=house.folder, environment=house.environment)
    assert gone.code == 0, "what the view counts no more has a life, too"
    assert "besitos 1, in closed 2024-12\n  learned " in gone.out
    nobody = command("explain", "77", cwd=house.folder, environment=house.environment)
    assert (nobody.code, nobody.err) == (2, "conversync: Nobody knows the transaction 77.\n")


def test_a_moment_that_cannot_be_meant_is_refused(make_ledger: MakeLedger, tmp_path: Path) -> None:
    """And a month that was not closed needs one."""
    house = make_ledger()
    house.night([row(1)])
    with pytest.raises(SettingsError, match="no moment"):
        differences(house, tmp_path / "dlt", lines.period_of("2024-12"), "yesterday")
    with pytest.raises(SettingsError, match="still to come"):
        differences(house, tmp_path / "dlt", lines.period_of("2024-12"), "2999-01-01")
    with pytest.raises(SettingsError, match="is not closed by besitos"):
        differences(house, tmp_path / "dlt", lines.period_of("2024-12"), None)
    assert explained.day_of("2024-12-04").first == date(2024, 12, 4)
    with pytest.raises(SettingsError, match="no day"):
        explained.day_of("4.12.2024")
