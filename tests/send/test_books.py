"""X07: journal and ledger heal each other, whichever is lost; and what is wrong is told before anything goes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.sandbox import Fault
from tests.send.receiver import ENDPOINT, POSTBACK_KEY, PUBLIC_KEY
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users


def journal_of(house: Workspace) -> Path:
    [path] = (house.folder / ".conversync").glob("journal-*.sqlite")
    return path


def forget_journal(house: Workspace) -> None:
    for path in (house.folder / ".conversync").glob("journal-*"):
        path.unlink()


def test_x07_a_lost_journal_is_filled_from_the_ledger(house: Workspace) -> None:
    """As on a new host: nothing is sent twice, and what the answers left is known again."""
    house.outbox(OPTIBASE, [*users(10), ("bad", "purchase", None)])
    house.send(OPTIBASE)
    before = house.query("select * exclude _dlt_load_id from sent.optibase_conversions order by all")
    forget_journal(house)
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.plan.already, report.plan.rejected, report.sent.requests) == (
        0,
        10,
        1,
        0,
    )
    assert "no journal" in " ".join(report.plan.notes)
    with house.journal(OPTIBASE) as journal:
        assert len(journal.states()) == 11
    assert house.query("select * exclude _dlt_load_id from sent.optibase_conversions order by all") == before


@pytest.mark.more
def test_x07_a_warehouse_restored_from_an_old_backup_is_noticed_and_mended(house: Workspace) -> None:
    """The journal knows what the ledger forgot: nothing goes twice, and the ledger has it again."""
    house.outbox(OPTIBASE, users(10))
    house.send(OPTIBASE, limit=3)
    shutil.copy(house.path, house.folder / "backup")
    house.send(OPTIBASE)
    whole = house.ledger(OPTIBASE)
    shutil.copy(house.folder / "backup", house.path)
    assert len(house.ledger(OPTIBASE)) == 3
    assert "restored backup" in " ".join(house.plan(OPTIBASE).notes)
    assert len(house.ledger(OPTIBASE)) == 3
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.requests, report.plan.already) == (0, 0, 10)
    assert "lacks 7 outcomes" in " ".join(report.plan.notes)
    assert house.ledger(OPTIBASE) == whole
    assert house.send(OPTIBASE).plan.notes == []


def test_x07_of_two_accounts_the_later_one_is_true(house: Workspace) -> None:
    """A row that another host sent meanwhile is not sent again here; nor is one that only this journal knows."""
    house.outbox(KEITARO, sales(2))
    house.settings["HTTP_BUDGET"] = "1"
    fault = house.server.faults.add(Fault(status=500, query={"tid": "t1"}))
    assert house.send(KEITARO).exit_code in (
        3,
        6,
    )  # the row is given up, or the vendor: whichever comes first
    assert fault.delivered >= 2
    assert house.statuses(KEITARO) == {"k0": "sent", "k1": "in_doubt"}
    house.change(
        "update sent.keitaro_conversions set status = 'sent', sent_at = sent_at + interval 1 hour where send_key = 'k1'"
    )
    report = house.send(KEITARO)
    assert (report.plan.already, report.sent.requests) == (2, 0)


@pytest.mark.more
@pytest.mark.parametrize("sent_in", ["ledger", "journal"])
def test_x07_of_two_accounts_of_the_same_moment_the_one_that_says_sent_is_true(
    house: Workspace, sent_in: str
) -> None:
    """A row that is known as sent anywhere is not sent again; both say so afterwards."""
    house.outbox(OPTIBASE, users(1))
    if sent_in == "ledger":
        house.server.faults.add(Fault(path=ENDPOINT, status=500, times=1))
    house.send(OPTIBASE)
    other = "sent" if sent_in == "ledger" else "in_doubt"
    house.change(f"update sent.optibase_conversions set status = '{other}'")
    before = house.query("select sent_at from sent.optibase_conversions")
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.plan.already, report.sent.requests) == (0, 1, 0)
    assert house.query("select status, sent_at from sent.optibase_conversions") == [("sent", before[0][0])]
    with house.journal(OPTIBASE) as journal:
        assert [known.status for known, _ in journal.states().values()] == ["sent"]


def test_an_outcome_that_was_never_loaded_is_loaded_first(house: Workspace) -> None:
    """The warehouse was held by somebody when the send ended: the next one brings it up, and sends nothing twice."""
    house.outbox(OPTIBASE, users(3))
    house.change("create table main.other as select 1 as one")
    code = (
        f"import duckdb, sys\nopened = duckdb.connect({str(house.path)!r}, read_only=True)\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    holder: list[subprocess.Popen[str]] = []

    def hold() -> None:
        if holder:
            return
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        holder.append(process)
        assert process.stdout is not None
        process.stdout.readline()

    from conversync.send import run

    house.server.faults.add(Fault(path=ENDPOINT, action=hold))
    retry_budget, run.PATIENCE = run.PATIENCE, 0.5
    try:
        report = house.send(OPTIBASE)
    finally:
        run.PATIENCE = retry_budget
        for process in holder:
            process.communicate("")
    assert (report.exit_code, report.sent.sent, type(report.error)) == (4, 3, LockedError)
    assert "journal" in str(report.error)
    assert house.query("select count(*) from duckdb_tables() where schema_name = 'sent'") == [(0,)]
    again = house.send(OPTIBASE)
    assert (again.exit_code, again.sent.requests) == (0, 0)
    assert house.statuses(OPTIBASE) == {f"k{n}": "sent" for n in range(3)}


@pytest.mark.more
def test_x13_a_dry_run_sends_and_writes_nothing(house: Workspace) -> None:
    """It shows the counts and exact requests, keys masked."""
    house.outbox(OPTIBASE, users(5))
    house.send(OPTIBASE, limit=2)
    before, asked = sorted(house.folder.rglob("*")), len(house.asked())
    content = (house.path.read_bytes(), journal_of(house).read_bytes())
    done = house.command("send", OPTIBASE, "--from", "main.optibase", "--dry-run")
    assert done.code == 0, done.err
    assert "would send: 3 new" in done.out
    assert '"testedUserExternalId":"user-2"' in done.out
    assert PUBLIC_KEY not in done.out + done.err
    assert sorted(house.folder.rglob("*")) == before
    assert (house.path.read_bytes(), journal_of(house).read_bytes()) == content
    assert len(house.asked()) == asked


@pytest.mark.parametrize(("most", "sent"), [(10, 10), (9, 0)])
def test_x13_the_cap_is_exact(house: Workspace, most: int, sent: int) -> None:
    """As many as may go, and not one more: then none goes."""
    house.outbox(OPTIBASE, users(10))
    if sent:
        assert house.send(OPTIBASE, max_rows=most).sent.sent == sent
    else:
        with pytest.raises(SettingsError, match=r"10 rows, and 9 is the most"):
            house.send(OPTIBASE, max_rows=most)
        assert house.send(OPTIBASE, max_rows=most, limit=9).sent.sent == 9
    assert len(house.asked()) == (sent or 9)


@pytest.mark.quick(1)
@pytest.mark.parametrize(("pct", "goes"), [(20.0, True), (19.9, False)])
def test_x13_the_share_that_may_change_is_exact(house: Workspace, pct: float, goes: bool) -> None:
    house.outbox(KEITARO, sales(10))
    house.send(KEITARO)
    house.outbox(KEITARO, [*sales(2, payout="9"), *sales(10)[2:]])
    if goes:
        assert house.send(KEITARO, max_change_pct=pct).sent.sent == 2
    else:
        with pytest.raises(SettingsError, match=r"more than 19\.9 %"):
            house.send(KEITARO, max_change_pct=pct)
        assert len(house.asked()) == 10


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("place", "word"),
    [("", "false"), ("[send]", "no"), ("[send.optibase]", "flase"), ("[send.optibase.conversions]", "off")],
)
def test_x13_the_kill_switch(house: Workspace, place: str, word: str) -> None:
    """Wherever it stands, and also where its value is misspelt: nothing goes out, and the same row goes without it."""
    house.outbox(OPTIBASE, users(1))
    config = house.folder / ".dlt" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'{place}\nsend_enabled = "{word}"\n')
    done = house.command("send", OPTIBASE, "--from", "main.optibase")
    assert (done.code, house.asked()) == (2, [])
    assert "send_enabled" in done.err
    rehearsed = house.command("send", OPTIBASE, "--from", "main.optibase", "--dry-run")
    if word != "flase":
        assert (rehearsed.code, rehearsed.out.count("Sending is switched off (send_enabled = false)")) == (
            0,
            1,
        )
    config.write_text(f"{place}\nsend_enabled = true\n")
    assert house.command("send", OPTIBASE, "--from", "main.optibase").code == 0
    assert len(house.receiver.taken) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select send_key, subid, 1 as colour from main.keitaro", "does not know: colour"),
        ("select send_key, subid, 1 as payuot from main.keitaro", "payuot (did you mean payout?)"),
        ("select send_key, tid from main.keitaro", "needs: subid"),
        ("select subid, tid from main.keitaro", "needs: send_key"),
        ("select 'x' as send_key, subid from main.keitaro", '"x" more than once'),
        ("select null as send_key, subid from main.keitaro limit 1", "send_key that is empty"),
        ("select 1.5::double as send_key, subid from main.keitaro limit 1", "send_key of 1.5"),
        ("select send_key, subid, subid from main.keitaro", "stand twice"),
        ("main.nowhere", "cannot be read"),
        ("delete from main.keitaro", "neither a table"),
        ("with x as (select 1) delete from main.keitaro", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_outbox_is_told_before_anything_is_sent(
    house: Workspace, query: str, words: str
) -> None:
    house.outbox(KEITARO, sales(2))
    with pytest.raises(SettingsError) as told:
        house.send(KEITARO, source=query)
    assert words in str(told.value)
    assert house.asked() == []
    assert house.query("select count(*) from main.keitaro") == [(2,)]


@pytest.mark.more
def test_an_outbox_from_the_settings_and_keys_that_nobody_sees(house: Workspace) -> None:
    """`[send.keitaro.conversions] query`, the command as a person has it, and no key in what it prints or keeps."""
    house.outbox(KEITARO, sales(3))
    (house.folder / ".dlt").mkdir()
    (house.folder / ".dlt" / "config.toml").write_text(
        '[send."keitaro.conversions"]\nquery = "select * from main.keitaro"\nsend_rate = "100/s"\n'
    )
    done = house.command("send", KEITARO, "--debug")
    assert done.code == 0, done.err
    assert len(house.receiver.conversions) == 3
    files = [path for path in house.folder.rglob("*") if path.is_file()]
    assert POSTBACK_KEY not in done.out + done.err
    assert not [path for path in files if POSTBACK_KEY.encode() in path.read_bytes()]
    quiet = house.command("send", KEITARO, "--log-format", "json")
    assert '"already_sent": 3' in quiet.out


def test_a_damaged_journal_is_told_and_nothing_is_sent(house: Workspace) -> None:
    house.outbox(OPTIBASE, users(2))
    house.send(OPTIBASE, limit=1)
    journal_of(house).write_bytes(b"no database at all" * 100)
    with pytest.raises(ConversyncError, match="damaged"):
        house.send(OPTIBASE)
    assert len(house.asked()) == 1


def test_reads_only_what_changed_in_content(house: Workspace) -> None:
    """Another scale of the same amount, or a new column without values, is no change."""
    house.outbox(KEITARO, sales(2))
    house.send(KEITARO)
    query = "select * replace (payout::decimal(12, 2) as payout), null as cost from main.keitaro"
    report = house.send(KEITARO, source=query)
    assert (report.plan.already, report.sent.requests) == (2, 0)
    assert house.query("select content ->> 'payout' from sent.keitaro_conversions limit 1") == [("1.5",)]
    assert Decimal("1.5") == Decimal("1.50")
