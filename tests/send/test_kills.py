"""X01, X08, C04, C06: kill -9 at every step, two senders, signals, a full disk: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from conversync.sandbox import Fault
from tests.process.support import Done, Forked, ProcessPool, Wish, nursery
from tests.send.receiver import ENDPOINT
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users

ROWS = 8
SEED = 20241204


@pytest.fixture(scope="session")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """One for all tests of a worker."""
    with nursery(tmp_path_factory.mktemp("forking"), "tests.send.nursery") as running:
        yield running


class Shop:
    """Sends of one house as processes."""

    def __init__(self, house: Workspace, forking: ProcessPool) -> None:
        self.house = house
        self._forking = forking
        (house.folder / "tmp").mkdir(exist_ok=True)

    def wish(self, target: str, *more: str, **fields: object) -> Wish:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.house.folder), **self.house.environment}
        environment["TMPDIR"] = str(self.house.folder / "tmp")
        argv = ["send", target, "--from", f"main.{target.partition('.')[0]}", *more]
        return Wish(argv, environment, str(self.house.folder), **fields)  # type: ignore[arg-type]

    def begin(self, target: str, *more: str, **fields: object) -> Forked:
        return self._forking.start(self.wish(target, *more, **fields))

    def send(self, target: str, *more: str, **fields: object) -> Done:
        return self.begin(target, *more, **fields).wait()


@pytest.fixture
def shop(house: Workspace, forking: ProcessPool) -> Shop:
    """With an outbox for both targets."""
    house.outbox(KEITARO, sales(ROWS))
    house.outbox(OPTIBASE, users(ROWS))
    return Shop(house, forking)


def fresh(shop: Shop) -> None:
    """Nothing was ever sent."""
    shutil.rmtree(shop.house.folder / ".conversync", ignore_errors=True)
    shop.house.change("drop schema if exists sent cascade; drop schema if exists sent_staging cascade")
    shop.house.receiver.taken.clear()


def points_of(shop: Shop, target: str) -> int:
    tally = shop.house.folder / "points"
    done = shop.send(target, points=str(tally))
    assert done.code == 0, done.told
    return int(tally.read_text())


def check(shop: Shop, target: str, what: str) -> int:
    """After a clean send: all is known, nothing lost or doubled. How many are in doubt."""
    house = shop.house
    healed = shop.send(target)
    status = house.statuses(target)
    assert healed.code == (3 if "in_doubt" in status.values() else 0), f"{what}: {healed.told}"
    assert status.keys() == {f"k{n}" for n in range(ROWS)}, what
    if target == KEITARO:
        assert set(status.values()) == {"sent"}, what
        assert house.receiver.conversions.keys() == {(f"click-{n}", f"t{n}") for n in range(ROWS)}, what
        return 0
    taken = Counter(int(one["testedUserExternalId"][5:]) for one in house.receiver.taken)
    doubted = {int(key[1:]) for key, one in status.items() if one == "in_doubt"}
    assert set(taken.values()) <= {1}, f"{what}: doubled"
    assert taken.keys() | doubted == set(range(ROWS)), f"{what}: lost"
    assert all(f"k{number}" in healed.out for number in sorted(doubted)[:5]), f"{what}: {healed.told}"
    return len(doubted)


def kill_and_heal(shop: Shop, target: str, points: list[int]) -> None:
    for point in points:
        fresh(shop)
        killed = shop.send(target, at=point)
        assert killed.code == -signal.SIGKILL, f"no kill at {point}: {killed.told}"
        assert check(shop, target, f"{target}, killed at {point}") <= ROWS


@pytest.mark.quick(1)
@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_x01_after_a_kill_anywhere_nothing_is_lost_or_doubled(shop: Shop, target: str) -> None:
    """One point in each part of a send: reading, intents, requests, outcomes, the load."""
    count = points_of(shop, target)
    random, parts = Random(SEED), 5
    width = count / parts
    kill_and_heal(
        shop, target, [min(1 + int((part + random.random()) * width), count - 2) for part in range(parts)]
    )


@pytest.mark.long
@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_x01_long_every_kill_point(shop: Shop, target: str) -> None:
    """All of them, one after the other."""
    kill_and_heal(shop, target, list(range(1, points_of(shop, target) - 1)))


def moved(shop: Shop) -> None:
    """All rows are sent, and then their clicks are corrected."""
    fresh(shop)
    shop.house.outbox(KEITARO, sales(ROWS))
    assert shop.send(KEITARO).code == 0
    shop.house.outbox(KEITARO, [(key, f"new-{subid}", *rest) for key, subid, *rest in sales(ROWS)])


def kill_and_heal_moves(shop: Shop, parts: int | None) -> None:
    moved(shop)
    count, random = points_of(shop, KEITARO), Random(SEED)
    points = list(range(1, count - 1))
    for point in points if parts is None else random.sample(points, parts):
        moved(shop)
        killed = shop.send(KEITARO, at=point)
        assert killed.code == -signal.SIGKILL, f"no kill at {point}: {killed.told}"
        assert shop.send(KEITARO).code == 0, f"killed at {point}"
        stands = {key: one["status"] for key, one in shop.house.receiver.conversions.items()}
        old = {(f"click-{n}", f"t{n}"): "rejected" for n in range(ROWS)}
        new = {(f"new-click-{n}", f"t{n}"): "sale" for n in range(ROWS)}
        assert stands == {**old, **new}, f"killed at {point}"
        assert shop.send(KEITARO).code == 0
        assert set(shop.house.statuses(KEITARO).values()) == {"sent"}


@pytest.mark.more
def test_x20_after_a_kill_anywhere_each_conversion_counts_once(shop: Shop) -> None:
    """Between the taking back and the new one, too: no sale counts twice, none is missing."""
    kill_and_heal_moves(shop, 4)


@pytest.mark.long
def test_x20_long_every_kill_point_of_a_move(shop: Shop) -> None:
    """All of them, one after the other."""
    kill_and_heal_moves(shop, None)


@pytest.mark.more
def test_x27_a_kill_while_the_vendor_has_it_wants_a_look_until_somebody_looked(shop: Shop) -> None:
    """X01: it took the conversion, and we never heard: in doubt, not sent again, and exit 3 at every send."""
    house = shop.house
    run: list[Forked] = []

    def kill() -> None:
        while not run:
            pass
        run[0].signal(signal.SIGKILL)

    fault = house.server.faults.add(
        Fault(path=ENDPOINT, json={"testedUserExternalId": "user-5"}, action=kill)
    )
    house.settings["SEND_CONCURRENCY"] = "1"
    run.append(shop.begin(OPTIBASE))
    assert run[0].wait().code == -signal.SIGKILL
    assert fault.delivered == 1
    assert check(shop, OPTIBASE, "killed in flight") == 1
    assert house.statuses(OPTIBASE)["k5"] == "in_doubt"
    assert len(house.receiver.taken) == ROWS
    house.server.faults.clear()
    for _ in range(2):
        shop.send(OPTIBASE).refused(3, "k5", "in doubt", "--resend-in-doubt", "--adopt")
    assert shop.send(OPTIBASE, "--adopt").code == 0
    assert house.ledger(OPTIBASE)["k5"][0] == "sent"
    assert shop.send(OPTIBASE).code == 0
    assert len(house.receiver.taken) == ROWS


def test_x08_two_senders_at_once(shop: Shop) -> None:
    """The second is turned away, or waits and finds nothing left; each row goes once."""
    opened, reached = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        opened.wait(30)

    shop.house.server.faults.add(Fault(path=ENDPOINT, times=1, action=wait))
    first = shop.begin(OPTIBASE)
    assert reached.wait(30)
    turned_away, waiting = shop.send(OPTIBASE), shop.begin(OPTIBASE, "--wait", "1m")
    turned_away.refused(4, "Another send", "--wait")
    assert shop.send(KEITARO).code == 0
    opened.set()
    assert (first.wait().code, waiting.wait().code) == (0, 0)
    assert len(shop.house.receiver.taken) == 2 * ROWS


@pytest.mark.long
def test_x08_long_a_hundred_pairs(shop: Shop) -> None:
    """Started together, without a head start."""
    for _ in range(100):
        fresh(shop)
        codes = sorted(run.wait().code for run in [shop.begin(OPTIBASE), shop.begin(OPTIBASE)])
        assert codes in ([0, 0], [0, 4])
        assert Counter(one["testedUserExternalId"] for one in shop.house.receiver.taken) == {
            f"user-{n}": 1 for n in range(ROWS)
        }


@pytest.mark.more
@pytest.mark.parametrize(
    ("number", "at_once"), [(signal.SIGTERM, 1), (signal.SIGTERM, 8), (signal.SIGINT, 8)]
)
def test_c04_a_signal_ends_a_send_cleanly(shop: Shop, number: signal.Signals, at_once: int) -> None:
    """What is on its way ends, its outcome is loaded, nothing more goes; the next send goes on."""
    house, reached = shop.house, threading.Event()
    house.settings |= {"SEND_RATE": "10/s", "SEND_CONCURRENCY": str(at_once)}

    def reach() -> None:
        reached.set()
        time.sleep(2.0)

    house.server.faults.add(Fault(path=ENDPOINT, json={"testedUserExternalId": "user-3"}, action=reach))
    run = shop.begin(OPTIBASE)
    while not reached.wait(0.05):
        assert not run.ended(0)
    run.signal(number)
    done = run.wait()
    assert done.code == 128 + number, done.told
    assert "Traceback" not in done.told
    taken = {f"k{one['testedUserExternalId'][5:]}" for one in house.receiver.taken}
    assert house.statuses(OPTIBASE) == dict.fromkeys(taken, "sent")
    assert "k3" in taken
    assert len(taken) < ROWS
    house.settings.pop("SEND_RATE")
    assert check(shop, OPTIBASE, "after a signal") == 0


def test_c06_where_the_journal_cannot_be_written_nothing_is_sent(shop: Shop) -> None:
    """A disk that is full for it: exit 1 with a sentence, no request; and then, with room, each row once."""
    house = shop.house
    assert shop.send(OPTIBASE, "--limit", "1").code == 0
    rows = [(f"k{n}", "purchase", f"user-{n}") for n in range(400)]
    house.outbox(OPTIBASE, rows)
    asked = len(house.asked())
    largest = max(path.stat().st_size for path in house.folder.glob("warehouse.duckdb*"))
    # What a run writes besides: nothing before the first request is longer than this.
    done = shop.send(OPTIBASE, limits={"RLIMIT_FSIZE": 60_000})
    done.refused(1, "journal", "cannot be written", "disk is full")
    sent = len(house.asked()) - asked
    assert sent < 100, "the limit was met while sending"
    assert largest > 60_000
    taken = Counter(one["testedUserExternalId"] for one in house.receiver.taken)
    assert set(taken.values()) == {1}
    done = shop.send(OPTIBASE)
    status = house.statuses(OPTIBASE)
    assert done.code == (3 if "in_doubt" in status.values() else 0), done.told
    taken = Counter(one["testedUserExternalId"] for one in house.receiver.taken)
    assert set(taken.values()) == {1}
    in_doubt = [key for key, one in status.items() if one == "in_doubt"]
    assert len(in_doubt) <= 8, "at most what was in flight"
    assert len(status) == 400
    assert len(taken) >= 400 - len(in_doubt)


def test_the_summary_for_a_log(shop: Shop) -> None:
    """JSON objects, one a line: the plan, then the summary."""
    done = shop.send(OPTIBASE, "--log-format", "json", "--limit", "2")
    plan, summary = map(json.loads, done.out.splitlines())
    assert (plan["event"], plan["new"], plan["to_send"], plan["dry_run"]) == ("plan", ROWS, 2, False)
    assert (summary["event"], summary["sent"], summary["requests"], summary["exit_code"]) == (
        "summary",
        2,
        2,
        0,
    )
    assert Path(summary["warehouse"]) == shop.house.path
