"""What is not taken back, and what is said of it; nothing is changed then."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal

import duckdb
import pytest

from conversync.books import closing, lines
from conversync.books.balance import balances
from conversync.errors import ConversyncError, LockedError
from conversync.vendors import vendors
from conversync.warehouse import undoable
from tests.besitos.rows import reversal, row
from tests.support import command
from tests.undo.past import Past

MakePast = Callable[..., Past]
BESITOS = [vendors()["besitos"]]
MANY = [row(number, payout=1, user_id=f"u{number}") for number in range(10, 22)]


@pytest.fixture
def past(make_past: MakePast) -> Past:
    """Two nights: the second restated one conversion, took another one back, and brought a third."""
    made = make_past()
    made.night([row(1, payout=10), row(2, payout=7, currency="EUR"), *MANY])
    later = [row(1, payout=12), row(2, payout=7, currency="EUR"), reversal(2, payout=7, currency="EUR")]
    made.night([*later, row(3, payout=5), *MANY])
    return made


def run(past: Past, *arguments: str, code: int, **settings: str) -> str:
    """The command, which ends with this code; what it says."""
    done = command(*arguments, cwd=past.folder, environment={**past.environment, **settings})
    assert done.code == code, done.out + done.err
    assert "Traceback" not in done.out + done.err
    return done.out + done.err


def commits(past: Past) -> list[str]:
    """Of all loads, oldest first."""
    return [name for (name,) in past.ask("select load_id from besitos._dlt_loads order by 1")]


def test_the_command_tells_what_goes_and_comes_back_and_does_it(past: Past) -> None:
    """By table, and the money by currency; a dry run changes nothing. What was done, by whom and why is kept."""
    first, second = commits(past)[:2], commits(past)[2:]
    before = past.tables()
    tried = run(past, "undo", "--last", "--dry-run", code=0)
    assert past.tables() == before
    assert tried.startswith(f"would take back: {second[-1]} (besitos, ")
    assert ", 2 commits\n" in tried
    assert "  conversion_events: 3 rows go, 1 row stands again\n" in tried
    assert "  windows: 2 rows go\n" in tried
    assert "  net revenue moves by +7.000000 EUR\n  net revenue moves by -7.000000 USD\n" in tried
    done = json.loads(run(past, "undo", second[0], "--why", "a test", "--json", code=0))
    assert (done["load_ids"], done["is_done"], done["against"]) == (second, True, [])
    assert done["net_revenue_changes"] == {"EUR": "7.000000", "USD": "-7.000000"}
    assert {"table": "conversion_events", "gone": 3, "back": 1} in done["tables"]
    assert commits(past) == first
    [(loads, who, why, told)] = past.ask("select load_ids, undone_by, why, told from besitos._undone_loads")
    assert (loads.split(","), why, json.loads(told)["vendor"]) == (second, "a test", "besitos")
    assert who
    [[published]] = (
        duckdb.connect(str(past.folder / "published" / "warehouse.duckdb"))
        .execute("select count(*) from besitos.conversion_events")
        .fetchall()
    )
    assert published == 14
    totals = "select currency, sum(net_payout) from besitos.conversions group by 1 order by 1"
    assert past.ask(totals) == [("EUR", Decimal(7)), ("USD", Decimal(22))]


def test_which_load_is_meant_has_to_be_clear(past: Past, make_past: MakePast) -> None:
    """Neither or both ways of naming it, one that nobody knows, one that others are built on, no warehouse."""
    before, loads = past.tables(), commits(past)
    assert "Say one of a load's id and --last." in run(past, "undo", code=2)
    assert "Say one of" in run(past, "undo", loads[0], "--last", code=2)
    assert f"There is no load 17. The last: {loads[3]} (besitos, " in run(past, "undo", "17", code=2)
    told = run(past, "undo", loads[1], "--dry-run", code=1)
    assert f"{loads[1]} (besitos, " in told
    assert f"Take these back first, in this order: {loads[3]} (besitos, " in told
    assert "nothing to take back" in run(past, "undo", "--last", "--vendor", "keitaro", code=2)
    assert past.tables() == before
    empty = make_past()
    assert "There is no warehouse" in run(empty, "undo", "--last", code=2)
    assert "There is no warehouse" in run(empty, "undo", "--last", "--dry-run", code=2)
    assert not empty.path.exists()


def test_of_several_sources_one_is_to_be_named(past: Past) -> None:
    """Nobody has to guess whose load was the last one."""
    with duckdb.connect(str(past.path)) as connection:
        connection.execute(
            "create schema keitaro; create table keitaro._dlt_loads as from besitos._dlt_loads"
        )
    assert "say whose with --vendor" in run(past, "undo", "--last", code=2)
    assert "would take back" in run(past, "undo", "--last", "--vendor", "besitos", "--dry-run", code=0)


def test_what_nothing_was_kept_of_stays(past: Past) -> None:
    """A load of an earlier version, or of somebody's own script: its rows may have replaced others."""
    last = commits(past)[3]
    with duckdb.connect(str(past.path)) as connection:
        connection.execute(f"delete from besitos._undo_loads where load_id = '{last}'")
    before = past.tables()
    with pytest.raises(ConversyncError, match=r"cannot be taken back: .* Nothing was taken back"):
        past.undo()
    assert past.tables() == before
    with duckdb.connect(str(past.path)) as connection:
        connection.execute("drop table besitos._undo_loads")
    with pytest.raises(ConversyncError, match="cannot be taken back"):
        past.would_undo()


def test_what_was_reported_stays_until_the_period_is_open(past: Past) -> None:
    """A correction of a closed period goes; what stands in its report does not."""
    with past.set():
        [sealed] = closing.close(past.place, BESITOS, lines.period_of("2024-12"), force=True, why="a test")
    before = past.tables()
    told = run(past, "undo", "--last", "--dry-run", code=1)
    assert "  refused: 3 conversions of it stand in 2024-12 as it was reported by besitos" in told
    with pytest.raises(ConversyncError, match=r"conversync reopen 2024-12 first\."):
        past.undo()
    assert past.tables() == before
    past.night([row(1, payout=20), *MANY])
    assert not past.undo().against
    with past.set():
        [balance, *_] = balances(past.place, BESITOS, past.folder / "dlt")
    assert (balance.is_right, balance.reported) == (True, sealed.closing.totals and balance.known)
    with past.set():
        closing.reopen(past.place, BESITOS, lines.period_of("2024-12"), "a test")
    assert not past.undo().against


def test_what_was_sent_stays(past: Past) -> None:
    """Also where it was sent before the last load, and what became of it since; not what others did with the rest."""
    past.settings["SEND_PLAYER_IDS"] = "user_id"
    past.settings |= {
        name: value for name, value in past.sandbox.settings().items() if name.startswith("KEITARO_")
    }
    run(past, "send", "keitaro.conversions", "--from", "besitos", "--since", "2024-01-01", code=0)
    before = past.tables()
    told = run(past, "undo", "--last", code=1)
    assert "3 rows of it went to sent.keitaro_conversions: besitos-1, besitos-2, besitos-3." in told
    assert past.tables() == before
    # The ledger lost it, the journal has it.
    with duckdb.connect(str(past.path)) as connection:
        connection.execute("delete from sent.keitaro_conversions")
    journal = next((past.folder / ".conversync").glob("journal-*.sqlite"))
    with sqlite3.connect(journal) as books:
        books.execute("update outcomes set loaded = 0 where send_key = 'besitos-3'")
    assert "1 row of it went to sent.keitaro_conversions: besitos-3." in run(past, "undo", "--last", code=1)
    with sqlite3.connect(journal) as books:
        books.execute("delete from outcomes")
    run(past, "undo", "--last", code=0)


def test_who_holds_the_warehouse_is_not_disturbed(past: Past) -> None:
    """Exit 4, and nothing is changed."""
    before = past.tables()
    with past.place.locked(), pytest.raises(LockedError):
        past.undo()
    assert past.tables() == before


def test_only_the_last_loads_are_kept(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Night after night the same rows: what is kept grows no more, and the load before them cannot be taken back."""
    monkeypatch.setattr(undoable, "KEPT_LOADS", 2)
    spoilt = row(90, reward="many")
    kept = []
    for _ in range(5):
        past.night([*MANY, spoilt])
        kept.append(
            past.ask("select count(*) from besitos._undo_of_rejected_rows")
            + past.ask("select count(distinct point) from besitos._undo_loads")
        )
    assert kept[-1] == kept[-2] == [(2,), (2,)]
    past.undo()
    past.undo()
    with pytest.raises(ConversyncError, match="cannot be taken back"):
        past.undo()


def test_the_text_of_a_row_that_was_set_aside_is_kept_no_longer_than_the_row_has_it(past: Past) -> None:
    """Not in the copy for readers; and gone with what retain_rejected_days takes."""
    spoilt = row(90, reward="many")
    for rows in ([*MANY, spoilt], [*MANY, spoilt], MANY):
        past.night(rows)
    kept = "select count(*), count(raw) from besitos._undo_of_rejected_rows"
    [[held, texts]] = past.ask(kept)
    assert held == texts > 0
    run(past, "publish", code=0)
    with duckdb.connect(str(past.folder / "published" / "warehouse.duckdb"), read_only=True) as copy:
        assert copy.execute(kept).fetchall() == [(held, 0)]
    with duckdb.connect(str(past.path)) as connection:
        for table in ("rejected_rows", "_undo_of_rejected_rows"):
            connection.execute(
                f"update besitos.{table} set resolved_at = resolved_at - interval 100 day, last_seen = "
                "last_seen - interval 700 day"
            )
    past.night(MANY)
    assert past.ask(kept)[0][1] == 0
