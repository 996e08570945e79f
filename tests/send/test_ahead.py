"""X01: what is made ready ahead of its turn: each row stands on the disk before it goes, and no more go than may."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conversync.errors import ConversyncError
from conversync.sandbox import Fault, Request
from conversync.send.journal import Journal, journal_path
from conversync.send.records import Record
from conversync.warehouse.warehouse import Warehouse
from tests.send.receiver import ENDPOINT, POSTBACK
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users

ROWS, AT_ONCE = 40, 4
PATHS = {KEITARO: POSTBACK, OPTIBASE: ENDPOINT}


def filled(house: Workspace) -> None:
    """An outbox for both targets; requests of one last a little, so that rows wait for their place."""
    house.outbox(KEITARO, sales(ROWS))
    house.outbox(OPTIBASE, users(ROWS))
    house.settings["SEND_CONCURRENCY"] = str(AT_ONCE)


def watched(house: Workspace, target: str, look: Callable[[Request], object]) -> None:
    """Sends all, and looks at each request as it comes in."""
    house.server.faults.add(Fault(path=PATHS[target], where=lambda request: bool(look(request)) and False))
    house.server.faults.add(Fault(path=PATHS[target], delay=0.01))
    report = house.send(target)
    assert report.error is None
    assert report.sent.sent == ROWS


@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_no_more_are_on_their_way_than_may(house: Workspace, target: str) -> None:
    """However many rows are ready."""
    filled(house)
    lock, out, seen = threading.Lock(), 0, []

    def linger() -> None:
        nonlocal out
        with lock:
            out += 1
            seen.append(out)
        time.sleep(0.02)
        with lock:
            out -= 1

    house.server.faults.add(Fault(path=PATHS[target], action=linger))
    assert house.send(target).sent.sent == ROWS
    assert max(seen) == AT_ONCE


@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_every_row_stands_in_the_journal_before_its_request(house: Workspace, target: str) -> None:
    """In the file, for any other process; and of rows that may not go twice no more than are on their way."""
    filled(house)
    standing, most = list[bool](), list[int]()

    def look(request: Request) -> None:
        number = (
            request.query["tid"][1:]
            if target == KEITARO
            else json.loads(request.body)["testedUserExternalId"][5:]
        )
        with sqlite3.connect(f"{journal_path(Warehouse(house.path)).as_uri()}?mode=ro", uri=True) as journal:
            keys = {key for (key,) in journal.execute("select send_key from intents")}
        standing.append(f"k{number}" in keys)
        most.append(len(keys))

    watched(house, target, look)
    assert standing == [True] * ROWS
    assert max(most) <= (AT_ONCE + AT_ONCE // 2 if target == KEITARO else AT_ONCE)


def test_a_row_that_waits_for_its_place_is_in_no_doubt_when_the_send_ends(house: Workspace) -> None:
    """What never went out is told as nothing: a refusal ends the send, and the next one sends all that is left."""
    filled(house)
    house.server.faults.add(Fault(path=POSTBACK, attempts=[1], status=401, delay=0.05))
    report = house.send(KEITARO)
    assert report.exit_code == 5
    assert report.sent.in_doubt == {}
    assert house.journal(KEITARO).intents() == []
    house.server.faults.clear()
    assert house.send(KEITARO).sent.sent == ROWS


def record(key: str) -> Record:
    """A line."""
    moment = "2024-12-04T00:00:00.000000+00:00"
    return Record(key, "sent", None, 200, 1, "hash", "{}", "{}", moment, moment)


def at_the_same_time(journal: Journal, keys: list[str], write: Callable[[str], None]) -> None:
    """Every thread has asked for its line before the first is written."""
    threads = [threading.Thread(target=write, args=(key,)) for key in keys]
    with journal._lock:  # noqa: SLF001 - as a commit that takes its time holds it
        for thread in threads:
            thread.start()
        while len(journal._queue) < len(keys):  # noqa: SLF001
            time.sleep(0.001)
    for thread in threads:
        thread.join()


def test_what_threads_write_at_once_is_one_commit(tmp_path: Path) -> None:
    """All of it is there when each of them returns."""
    keys = [f"k{number}" for number in range(5)]
    there = dict[str, bool]()
    with Journal(tmp_path / "journal.sqlite", "target") as journal:
        statements: list[str] = []
        journal._db.set_trace_callback(statements.append)  # noqa: SLF001

        def write(key: str) -> None:
            journal.conclude(record(key))
            with Journal(tmp_path / "journal.sqlite", "target", read_only=True) as other:
                there[key] = other.record(key) is not None

        at_the_same_time(journal, keys, write)
        assert sum(statement.lower().startswith("commit") for statement in statements) == 1
    assert there == dict.fromkeys(keys, True)


def test_a_journal_that_cannot_be_written_fails_all_who_write(tmp_path: Path) -> None:
    """None of them may send."""
    failed = list[str]()
    with Journal(tmp_path / "journal.sqlite", "target") as journal:
        journal._db.execute("drop table intents")  # noqa: SLF001

        def write(key: str) -> None:
            try:
                journal.intend(record(key))
            except ConversyncError as error:
                failed.append(str(error))

        at_the_same_time(journal, ["a", "b", "c"], write)
    assert len(failed) == 3
    assert all("Nothing more was sent" in text for text in failed)
