"""A closed period: as reported + corrections = as known now, whatever comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from conversync.books import closing, lines, store
from conversync.books.balance import Balance, balances
from conversync.errors import ConversyncError, SettingsError
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger
from tests.books.nights import Feed
from tests.books.test_as_of import equals_every_night
from tests.support import command

MakeLedger = Callable[..., Ledger]
BESITOS = [vendors()["besitos"]]
MONTHS = ("2024-11", "2024-12")


def close(house: Ledger, period: str, *, force: bool = True, why: str | None = "a test") -> store.Closing:
    """Closes it, although its first days were never read."""
    with house.set():
        [sealed] = closing.close(
            Warehouse(house.path), BESITOS, lines.period_of(period), force=force, why=why
        )
    return sealed.closing


def balance(house: Ledger, folder: Path) -> list[Balance]:
    """Of all that is closed."""
    return balances(Warehouse(house.path), BESITOS, folder)


def reported(house: Ledger) -> list[tuple[object, ...]]:
    """All lines that were ever reported, and their fingerprints."""
    return house.query("select * from books.reported order by all") + house.query(
        "select period, sha256, totals from books.periods order by all"
    )


def simulated(house: Ledger, seed: int, nights: int, folder: Path) -> None:
    """Two months closed on the way; after every night all adds up, and what was reported is as it was."""
    sealed: list[tuple[object, ...]] = []
    corrected: set[str] = set()
    for night, rows in enumerate(Feed(seed).tell(nights)):
        house.night(rows)
        if night in (nights // 4, nights // 2):
            close(house, MONTHS[night == nights // 2])
            sealed = reported(house)
        if sealed:
            found = balance(house, folder)
            assert [one for one in found if not one.is_right] == []
            assert reported(house) == sealed
            corrected |= {one.closing.period for one in found if one.changes}
    assert corrected == set(MONTHS), "the nights correct both months"
    equals_every_night(house)


@pytest.mark.parametrize("seed", [1, 2])
def test_twelve_nights(make_ledger: MakeLedger, tmp_path: Path, seed: int) -> None:
    """Reversals late, early, in parts and withdrawn, restatements, other ids."""
    simulated(make_ledger(), seed, 12, tmp_path / "dlt")


@pytest.mark.more
@pytest.mark.parametrize("counts", ["true", "false"])
def test_thirty_nights(make_ledger: MakeLedger, tmp_path: Path, counts: str) -> None:
    """Also where what is withdrawn counts no more."""
    simulated(make_ledger(besitos_withdrawn_counts=counts), 3, 30, tmp_path / "dlt")


def test_every_kind_of_correction_is_told(make_ledger: MakeLedger, tmp_path: Path) -> None:
    """A line a conversion and change, with its reason; currencies stay apart."""
    house = make_ledger(besitos_withdrawn_counts="false")
    many = [row(number, payout=1, user_id=f"u{number}") for number in range(10, 30)]
    house.night([row(1, payout=10), row(2, payout=7), row(3, payout=5, currency="EUR"), *many])
    sealed = close(house, "2024-12")
    assert sealed.totals == (
        '{"EUR": {"gross": "5.000000", "net": "5.000000", "reversed": "0.000000"}, '
        '"USD": {"gross": "37.000000", "net": "37.000000", "reversed": "0.000000"}}'
    )
    house.night(
        [
            *(row(1, payout=10), reversal(1, payout=4), row(2, payout=8), row(3, payout=5, currency="EUR")),
            *(row(4, payout=2), *many[1:]),
        ]
    )
    with house.set(), store.reading(Warehouse(house.path), tmp_path / "dlt") as client:
        found = lines.corrections(client, "besitos", sealed.days, sealed.known_until)
    told = sorted((one.transaction_id, one.reason, one.currency, str(one.net_change)) for one in found)
    assert told == [
        ("1", "reversal", "USD", "-4.000000"),
        ("10", "withdrawn", "USD", "-1.000000"),
        ("2", "restatement", "USD", "1.000000"),
        ("4", "late arrival", "USD", "2.000000"),
    ]
    assert {(one.currency, one.reported, one.corrections, one.known) for one in balance(house, tmp_path)} == {
        ("EUR", Decimal(5), Decimal(0), Decimal(5)),
        ("USD", Decimal(37), Decimal(-2), Decimal(35)),
    }


def test_it_is_refused_while_a_day_is_not_whole(make_ledger: MakeLedger) -> None:
    """With every reason, by days and listing; nothing is written. With --force these are kept."""
    house = make_ledger()
    house.night([row(1)])
    with pytest.raises(ConversyncError) as refused:
        close(house, "2024-11", force=False)
    assert str(refused.value) == (
        "2024-11 is not closed: besitos conversions: 2024-11-01 .. 2024-11-19 were never read; "
        "besitos reversals: 2024-11-01 .. 2024-11-19 were never read. Load what is missing, wait for what is young, or "
        "say --force --why TEXT."
    )
    assert house.query("select count(*) from duckdb_schemas() where schema_name = 'books'") == [(0,)]
    for nothing in (None, "  "):
        with pytest.raises(SettingsError, match="say why"):
            close(house, "2024-11", why=nothing)
    for month in ("2024-13", "9999-12"):
        with pytest.raises(SettingsError, match="no period"):
            close(house, month)
    with pytest.raises(SettingsError, match="has not begun yet"):
        close(house, "2999-01")
    kept = close(house, "2024-11")
    assert kept.against == str(refused.value).partition(": ")[2].partition(". Load")[0]
    with pytest.raises(SettingsError, match="closed already by besitos"):
        close(house, "2024-11")


def test_days_within_the_lookback_are_too_young(make_ledger: MakeLedger) -> None:
    """Though they were read whole: their late rows are still to come."""
    house = make_ledger(besitos_lookback_days="3650")
    house.night([row(1)])
    with pytest.raises(
        ConversyncError,
        match=r"2024-11-01 \.\. 2024-11-30 are younger than the lookback of 3650 days, until 2034-11-28",
    ):
        close(house, "2024-11", force=False)


def test_a_month_that_was_read_whole_is_closed(make_ledger: MakeLedger) -> None:
    """Without any word: nothing stands against it."""
    house = make_ledger()
    house.sandbox.besitos.rows = [row(1)]
    house.load("2024-11-30", "2025-01-02")
    assert close(house, "2024-12", force=False, why=None).against is None


def test_opened_again_it_keeps_its_history(make_ledger: MakeLedger, tmp_path: Path) -> None:
    """And is closed again as another closing, with what is known by then; the first one's lines stay."""
    house = make_ledger()
    house.night([row(1, payout=10)])
    first = close(house, "2024-12")
    house.night([row(1, payout=12)])
    with house.set():
        closing.reopen(Warehouse(house.path), BESITOS, lines.period_of("2024-12"), "it was wrong")
        assert balance(house, tmp_path / "dlt") == []
        with pytest.raises(SettingsError, match="not closed"):
            closing.reopen(Warehouse(house.path), BESITOS, lines.period_of("2024-12"), "again")
    second = close(house, "2024-12")
    assert (first.closing, second.closing) == (1, 2)
    history = (
        "select closing, reopened_why, net_revenue from books.periods natural join books.reported order by 1"
    )
    assert house.query(history) == [(1, "it was wrong", Decimal(10)), (2, None, Decimal(12))]
    assert [(one.reported, one.corrections) for one in balance(house, tmp_path / "dlt")] == [
        (Decimal(12), Decimal(0))
    ]


def test_a_setting_that_says_what_counts_is_named(make_ledger: MakeLedger) -> None:
    """Set otherwise after the closing, the past says something else: told with why and the ways out, which work."""
    house = make_ledger()
    house.night([row(1, payout=10), reversal(1, payout=0, reward=500)])
    close(house, "2024-12")

    def books() -> tuple[int, str]:
        ended = command("books", cwd=house.folder, environment=house.environment)
        return ended.code, ended.out

    before = books()
    assert before[0] == 0, before
    house.settings["BESITOS_REVERSAL_TAKES_PAYOUT"] = "true"
    assert books() == before, "the views say what they said, until the next load"
    house.run("2024-11-30", "2025-01-02")
    code, told = books()
    assert code == 1
    assert "since besitos_reversal_takes_payout was false when it was closed and is not now" in told
    assert "reopen and close it, or set that as it was and load" in told
    moved = command("explain", "--period", "2024-12", cwd=house.folder, environment=house.environment)
    assert "besitos_reversal_takes_payout was false when it was closed" in moved.out
    assert "Nothing changed" not in moved.out
    house.settings["BESITOS_REVERSAL_TAKES_PAYOUT"] = "false"
    house.run("2024-11-30", "2025-01-02")
    assert books() == before


def test_what_somebody_altered_is_told(make_ledger: MakeLedger) -> None:
    """The command ends with 1: of what was reported, and of what is known."""
    house = make_ledger()
    house.night([row(1, payout=10)])
    told = command(
        "close", "2024-12", "--force", "--why", "a test", cwd=house.folder, environment=house.environment
    )
    assert told.code == 0, told.err
    assert "closed 2024-12 of besitos: 1 lines, " in told.out
    right = command("books", cwd=house.folder, environment=house.environment)
    assert (right.code, right.out) == (
        0,
        "2024-12 besitos USD: reported 10.00, corrections 0.00 (0 changes), known now 10.00\n",
    )
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("update books.reported set net_revenue = 11, gross_revenue = 11")
    wrong = command("books", "--json", cwd=house.folder, environment=house.environment)
    assert wrong.code == 1
    assert '"is_as_sealed": false' in wrong.out
    assert '"difference": "-1.00"' in wrong.out
    page = command("report", "--period", "2024-12", cwd=house.folder, environment=house.environment)
    assert (page.code, "was altered since" in page.err) == (1, True), (
        "no page under a seal that does not hold"
    )
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("update books.reported set net_revenue = 10, gross_revenue = 10")
        connection.execute("update books.periods set totals = replace(totals, '10.0', '12.0')")
    assert command("books", cwd=house.folder, environment=house.environment).code == 1


def test_a_view_that_is_missing_is_no_figure(make_ledger: MakeLedger) -> None:
    """The books say what is missing, and that a load makes it."""
    house = make_ledger()
    house.night([row(1, payout=10)])
    close(house, "2024-12")
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("drop view besitos.revenue_changes")
    (house.folder / "published" / "warehouse.duckdb").unlink(missing_ok=True)
    for asked in (("books",), ("explain", "1"), ("explain", "--period", "2024-12")):
        done = command(*asked, cwd=house.folder, environment=house.environment)
        assert (done.code, "besitos.revenue_changes is missing" in done.err) == (1, True), done.err
    house.night([row(1, payout=10)])
    assert command("books", cwd=house.folder, environment=house.environment).code == 0


def test_a_closed_report_is_the_same_byte_for_byte(make_ledger: MakeLedger) -> None:
    """Whatever came since; of a month that is open there is none."""
    house = make_ledger()
    house.night([row(1, payout=10), row(2, payout=7, offer_id=None), row(3, payout=5, currency="EUR")])

    def page(name: str) -> bytes:
        asked = ("report", "--period", "2024-12", "--output", name)
        made = command(*asked, cwd=house.folder, environment=house.environment)
        assert made.code == 0, made.err
        return (house.folder / name).read_bytes()

    none = command("report", "--period", "2024-12", cwd=house.folder, environment=house.environment)
    assert (none.code, none.err) == (
        2,
        "conversync: 2024-12 is not closed: run conversync close 2024-12 first.\n",
    )
    close(house, "2024-12", why="<all> is well")
    first = page("first.html")
    assert b"<td>without an offer</td>" in first
    assert b"&lt;all&gt; is well" in first
    assert b'<td class="number">17.00</td>' in first
    house.night([row(1, payout=11), row(2, payout=7, offer_id=None), row(4)])
    assert page("second.html") == first


def test_whose_days_are_whole_is_told_where_others_are_not() -> None:
    """With the command that closes the period of these alone."""
    values = {field.name: None for field in fields(store.Closing) if field.default is MISSING}
    row_ = store.Closing(**{**values, "period": "2024-11", "vendor": "besitos", "account": "besitos"})  # type: ignore[arg-type] # what else it has is not asked for
    whole, short = closing.Candidate(row_, ()), closing.Candidate(row_, (), ("a day was never read",))
    with pytest.raises(ConversyncError, match=r"goes: conversync close 2024-11 --vendor besitos\.$"):
        closing.refuse([whole, short])
    with pytest.raises(ConversyncError, match=r"--why TEXT\.$"):
        closing.refuse([short])
