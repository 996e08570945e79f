"""L11: numbers and texts of what was sent go after their days; keys, sums and "sent once" stay."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from conversync.errors import SettingsError
from conversync.sandbox import Fault, Sandbox, World
from tests.send.support import Workspace

TARGET = "infobip.messages"
OLD, FRESH = 181, 179
SENT, FAILED, REACHED, DOUBTED, NEW = (f"38598765432{n}" for n in range(5))
TEXT = "Your code is 8841-zulu"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One that turns down one number."""
    with Sandbox(World(days=2)) as running:
        refused = frozenset({FAILED})
        running.infobip.variants = dataclasses.replace(running.infobip.variants, refused=refused)
        yield running


@pytest.fixture
def house(sandbox: Sandbox, house: Workspace) -> Workspace:
    """A message that went, one that reached one of two, one in doubt, half a year ago; and one of later."""
    house.settings = {**sandbox.settings(), "SEND_CONCURRENCY": "1", "SEND_MISSING": "ignore"}
    house.change(
        "create table main.infobip (send_key varchar, sender_address varchar, address varchar, message varchar)"
    )
    rows = {"sent": SENT, "failed": f'["{REACHED}", "{FAILED}"]', "doubted": DOUBTED}
    house.change(
        "insert into main.infobip values (?, 'INFOSMS', ?, ?)", [(*row, TEXT) for row in rows.items()]
    )
    lost = sandbox.faults.add(Fault(close_before_answer=True, json={"address": DOUBTED}))
    assert house.send(TARGET).exit_code == 3
    assert lost.delivered == 1
    assert house.statuses(TARGET) == {"sent": "sent", "failed": "rejected", "doubted": "in_doubt"}
    aged(house, OLD)
    house.change("insert into main.infobip values ('new', 'INFOSMS', ?, 'Hello')", [(NEW,)])
    return house


def aged(house: Workspace, days: int) -> None:
    """As if all of it had been sent so many days earlier, in both books."""
    house.change(f"update sent.infobip_messages set sent_at = sent_at - interval ({days}) day")
    with house.journal(TARGET) as journal:
        path = journal.path
    with sqlite3.connect(path) as db:
        moved = f"replace(datetime(substr(sent_at, 1, 19), '{-days} days'), ' ', 'T') || substr(sent_at, 20)"
        assert db.execute(f"update outcomes set sent_at = {moved}").rowcount
    db.close()


def books(house: Workspace) -> dict[str, str]:
    """All text of each row of ledger, journal and results, by their key."""
    found: dict[str, list[Any]] = {}
    for row in house.query("select send_key, m from sent.infobip_messages as m"):
        found.setdefault(row[0], []).append(row)
    for row in house.query("select send_key, m from sent.infobip_message_results as m"):
        found.setdefault(row[0], []).append(row)
    with house.journal(TARGET) as journal:
        for one in journal.records():
            found[one.send_key].append(one)
    return {key: str(lines) for key, lines in found.items()}


def kept(house: Workspace) -> list[tuple[Any, ...]]:
    """What must stay of each row."""
    return house.query(
        "select send_key, status, response_code, attempts, content_hash, first_sent_at, sent_at, occurred_on, outbox, "
        "epoch from sent.infobip_messages order by all"
    )


def amounts(house: Workspace) -> list[tuple[Any, ...]]:
    """What the vendor told of each address, and what it cost."""
    return house.query(
        "select send_key, accepted, price, message_id, client_correlator from sent.infobip_message_results order by all"
    )


@pytest.mark.more
def test_l11_numbers_and_texts_go_after_their_days(sandbox: Sandbox, house: Workspace) -> None:
    """Out of ledger, results and journal, its file too, and one line says so; a row in doubt keeps what settles it."""
    before, cost, requests = kept(house), amounts(house), len(sandbox.requests)
    done = house.command("send", TARGET, "--from", "main.infobip")
    assert done.code == 3, done.err  # the row in doubt
    told = "what tells of a person in 2 rows sent long ago was removed, as retain_sent_days says."
    assert done.out.count(told) == 1
    assert len(sandbox.requests) == requests + 1
    found = books(house)
    for secret in (SENT, REACHED, FAILED):
        assert secret not in found["sent"] + found["failed"]
    assert "8841-zulu" not in found["sent"] + found["failed"]
    assert DOUBTED in found["doubted"]
    assert "8841-zulu" in found["doubted"]
    assert NEW in found["new"]
    assert [row for row in kept(house) if row[0] != "new"] == before
    assert [row for row in amounts(house) if row[0] != "new"] == cost
    with house.journal(TARGET) as journal:
        files = [path.read_bytes() for path in journal.path.parent.glob("journal-*")]
    assert NEW.encode() in b"".join(files)
    assert not [number for number in (SENT, REACHED, FAILED) if number.encode() in b"".join(files)]
    again = house.command("send", TARGET, "--from", "main.infobip")
    assert "removed" not in again.out
    assert len(sandbox.requests) == requests + 1


@pytest.mark.more
def test_l11_what_was_forgotten_is_still_sent_once(sandbox: Sandbox, house: Workspace) -> None:
    """Nobody who has the message gets it again: not on a retry, not from a ledger alone, not where a column changes."""
    house.send(TARGET)
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, refused=frozenset())
    with house.journal(TARGET) as journal:
        for path in journal.path.parent.glob("journal-*"):
            path.unlink()
    before = len(sandbox.infobip.received)
    report = house.send(TARGET, retry_rejected=True, after_restore=True)
    assert report.sent.requests == 1
    [again] = sandbox.infobip.received[before:]
    assert str(again.body["address"]) in (FAILED, f"['{FAILED}']")
    assert house.statuses(TARGET)["failed"] == "sent"
    house.change("update main.infobip set message = 'Another text' where send_key = 'sent'")
    report = house.send(TARGET)
    assert (report.sent.requests, report.plan.unsupported) == (0, ["sent"])


@pytest.mark.more
@pytest.mark.parametrize(
    ("days", "setting", "goes"), [(FRESH, "", False), (OLD, "off", False), (FRESH, "30", True)]
)
def test_l11_the_days_are_a_setting(house: Workspace, days: int, setting: str, goes: bool) -> None:
    """Half a year without it; a number of days; "off" for ever."""
    aged(house, days - OLD)
    if setting:
        house.settings["CONVERSYNC_RETAIN_SENT_DAYS"] = setting
    assert bool(house.send(TARGET).said) == goes
    assert (SENT not in books(house)["sent"]) == goes


@pytest.mark.more
@pytest.mark.parametrize("setting", ["0", "-3", "half a year", "1.5"])
def test_l11_days_that_cannot_be_meant_are_refused(house: Workspace, setting: str) -> None:
    """Before any request."""
    house.settings["CONVERSYNC_RETAIN_SENT_DAYS"] = setting
    with pytest.raises(SettingsError, match="retain_sent_days"):
        house.send(TARGET)
    assert house.statuses(TARGET).keys() == {"sent", "failed", "doubted"}


@pytest.mark.more
def test_l11_a_load_forgets_what_was_sent_too(sandbox: Sandbox, house: Workspace) -> None:
    """Also where nothing is sent any more."""
    house.settings["INFOBIP_START_DATE"] = str(sandbox.world.start)
    done = house.command("load", "infobip")
    assert done.code == 0, done.err
    assert done.out.count("in 2 rows sent long ago was removed") == 1
    assert not [number for number in (SENT, REACHED, FAILED) if number in str(books(house))]


@pytest.mark.more
def test_l11_a_journal_from_elsewhere_is_not_set_back(sandbox: Sandbox, house: Workspace) -> None:
    """Each book forgets what it has itself: the older state of one never takes the other's place."""
    house.change(
        "update sent.infobip_messages set sent_at = now(), status = 'sent' where send_key = 'failed'"
    )
    house.settings["INFOBIP_START_DATE"] = str(sandbox.world.start)
    assert house.command("load", "infobip").code == 0
    assert house.statuses(TARGET)["failed"] == "sent"
    assert house.send(TARGET, retry_rejected=True).sent.requests == 1  # the new one
