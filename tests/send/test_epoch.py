"""X07, X26: books that were restored from a backup are noticed, and asked about before anything goes twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conversync.errors import ConversyncError, SettingsError
from conversync.send.epoch import what_it_has
from conversync.warehouse.warehouse import Warehouse
from tests.send.support import KEITARO, OPTIBASE, Workspace, users

# isort: split
import duckdb


def backup(house: Workspace, *patterns: str) -> list[tuple[Path, Path]]:
    """Copies of the files, and where they belong."""
    folder = house.folder / "backup"
    folder.mkdir()
    files = [path for pattern in patterns for path in house.folder.glob(pattern)]
    return [(Path(shutil.copy(path, folder / path.name)), path) for path in files]


def restore(house: Workspace, files: list[tuple[Path, Path]]) -> None:
    """As a backup program does: what was not in it goes."""
    for path in house.folder.glob(".conversync/journal-*-*"):
        path.unlink()
    for copy, path in files:
        shutil.copy(copy, path)


BOOKS = ("warehouse.duckdb", ".conversync/journal-*.sqlite")


def two_sends(house: Workspace) -> list[tuple[Path, Path]]:
    """Three rows were sent, a backup of both books made, and seven more sent."""
    house.outbox(OPTIBASE, users(10))
    house.send(OPTIBASE, limit=3)
    files = backup(house, *BOOKS)
    house.send(OPTIBASE)
    assert len(house.receiver.taken) == 10
    return files


@pytest.mark.more
def test_x26_both_books_from_one_backup_are_noticed_before_anything_goes(house: Workspace) -> None:
    """Nothing in them tells it; the epoch beside them does. A person may go on, and then all is well again."""
    restore(house, two_sends(house))
    for arguments in (["--dry-run"], []):
        done = house.command("send", OPTIBASE, "--from", "main.optibase", *arguments)
        assert done.code == 2
        assert "know of is number 1, and number 2 was made from here" in done.err
        assert "--after-restore" in done.err
    assert len(house.receiver.taken) == 10
    done = house.command("send", OPTIBASE, "--from", "main.optibase", "--after-restore", "--limit", "1")
    assert (done.code, len(house.receiver.taken)) == (0, 11)
    assert house.send(OPTIBASE, limit=1).exit_code == 0


@pytest.mark.more
@pytest.mark.parametrize("lost", [0, 1])
def test_x26_one_book_heals_the_other(house: Workspace, lost: int) -> None:
    """The warehouse alone, or the journal alone, from a backup: nothing goes, and nobody is asked."""
    files = [pair for pair in two_sends(house) if (pair[1].suffix == ".sqlite") == bool(lost)]
    assert len(files) == 1
    restore(house, files)
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.plan.already, report.sent.requests) == (0, 10, 0)


@pytest.mark.more
def test_x26_a_restored_warehouse_beside_a_lost_journal_is_noticed(house: Workspace) -> None:
    files = [pair for pair in two_sends(house) if pair[1].suffix == ".duckdb"]
    for path in house.folder.glob(".conversync/journal-*"):
        path.unlink()
    restore(house, files)
    with pytest.raises(SettingsError, match="older than its last send"):
        house.send(OPTIBASE)
    assert len(house.receiver.taken) == 10


def test_x26_a_new_machine_is_not_asked(house: Workspace) -> None:
    """The warehouse came along, the folder beside it did not: the ledger knows all, and says so."""
    house.outbox(OPTIBASE, users(3))
    house.send(OPTIBASE)
    shutil.rmtree(house.folder / ".conversync")
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.requests) == (0, 0)
    assert "there was no journal" in " ".join(report.plan.notes)
    house.outbox(OPTIBASE, users(4))
    assert house.send(OPTIBASE).sent.sent == 1
    assert house.query("select send_key, epoch from sent.optibase_conversions order by 2, 1") == [
        ("k0", 1),
        ("k1", 1),
        ("k2", 1),
        ("k3", 2),
    ]


@pytest.mark.more
def test_x26_the_books_of_one_target_are_not_those_of_another(house: Workspace) -> None:
    """Each has its own count."""
    restore(house, two_sends(house))
    house.change("create table main.keitaro as select 'a' as send_key, 'c' as subid, 't' as tid")
    assert house.send(KEITARO).exit_code == 0


@pytest.mark.more
def test_x26_an_epoch_that_cannot_be_read_sends_nothing(house: Workspace) -> None:
    house.outbox(OPTIBASE, users(2))
    house.send(OPTIBASE, limit=1)
    [path] = house.folder.glob(".conversync/epoch-*")
    path.write_text("two")
    with pytest.raises(ConversyncError, match="cannot be read as a number"):
        house.send(OPTIBASE)
    path.unlink()
    assert house.send(OPTIBASE).sent.sent == 1


@pytest.mark.more
def test_a_link_to_the_warehouse_is_the_same_warehouse(house: Workspace) -> None:
    """One lock, one journal, one count, from whichever folder it is linked."""
    two_sends(house)
    for name in ("link.duckdb", "other/link.duckdb"):
        link = house.folder / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(house.path)
        assert Warehouse(link) == Warehouse(house.path)
        done = house.command("send", OPTIBASE, "--from", "main.optibase", "--warehouse", str(link))
        assert (done.code, len(house.receiver.taken)) == (0, 10)
    assert [path.name for path in house.folder.glob("**/.conversync/journal-*.sqlite")] == [
        "journal-warehouse.duckdb.sqlite"
    ]
    circle = house.folder / "circle.duckdb"
    circle.symlink_to(circle)
    with pytest.raises(SettingsError, match="in a circle"):
        Warehouse(circle)


@pytest.mark.more
def test_an_old_ledger_under_another_name_is_asked_about(house: Workspace) -> None:
    """A backup of the warehouse, put beside it: the folder knows of a later send of that target."""
    [copy] = [copy for copy, path in two_sends(house) if path.suffix == ".duckdb"]
    shutil.copy(copy, house.folder / "again.duckdb")
    arguments = [
        "send",
        OPTIBASE,
        "--from",
        "main.optibase",
        "--warehouse",
        str(house.folder / "again.duckdb"),
    ]
    done = house.command(*arguments)
    assert (done.code, len(house.receiver.taken)) == (2, 10)
    assert "under another name of the warehouse" in done.err
    assert house.command(*arguments, "--after-restore", "--limit", "1").code == 0
    assert house.command(*arguments, "--limit", "1").code == 0
    assert len(house.receiver.taken) == 12


@pytest.mark.more
def test_two_warehouses_in_one_folder_have_counts_of_their_own(house: Workspace) -> None:
    """A new one is not asked, though its neighbour has sent: it has no ledger yet."""
    two_sends(house)
    shutil.copy(house.path, house.folder / "new.duckdb")
    with duckdb.connect(str(house.folder / "new.duckdb")) as connection:
        connection.execute("drop schema sent cascade")
    place = str(house.folder / "new.duckdb")
    for _ in range(2):
        done = house.command(
            "send", OPTIBASE, "--from", "main.optibase", "--limit", "1", "--warehouse", place
        )
        assert done.code == 0
    assert len(house.receiver.taken) == 12


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("keitaro.conversions", "what the vendor has (`conversync reconcile keitaro`)"),
        ("infobip.processes", "what the vendor has (`conversync reconcile infobip`)"),
        ("optibase.conversions", "what the vendor's own pages have"),
    ],
)
def test_a_person_is_sent_to_where_what_arrived_can_be_seen(target: str, where: str) -> None:
    """The command for that vendor, or its pages where it has no way to be asked."""
    assert what_it_has(target) == where
