"""D02: two machines send out of one PostgreSQL. The right to send lies there, and so do the books."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Fault
from tests.dbt.cluster import Cluster, binary
from tests.process.support import Done, Forked, ProcessPool, Wish
from tests.process.support import nursery as a_nursery
from tests.send.receiver import ENDPOINT, PUBLIC_KEY, Receiver, serve
from tests.send.support import OPTIBASE

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
ROWS = 40


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """One for all of these tests."""
    with a_nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


@dataclass
class Machine:
    """A project folder of its own, and the tables on a server that others share."""

    folder: Path
    nursery: ProcessPool
    env: dict[str, str] = field(default_factory=dict)

    def begin(self, *more: str) -> Forked:
        """A send that has begun."""
        argv = ["send", OPTIBASE, "--from", "public.users", "--destination", "postgres", *more]
        return self.nursery.start(Wish(argv, self.env, str(self.folder)))

    def send(self, *more: str) -> Done:
        """As it ended."""
        return self.begin(*more).wait()


@dataclass
class Shop:
    """Two machines, what they share, and who takes what they send."""

    machines: list[Machine]
    database: Cluster
    receiver: Receiver
    faults: Any

    def taken(self) -> Counter[str]:
        """How often each user's conversion was taken."""
        return Counter(one["testedUserExternalId"] for one in self.receiver.taken)

    def statuses(self) -> Counter[str]:
        """Of the ledger's rows."""
        rows = self.database.ask("select status, count(*) from sent.optibase_conversions group by 1")
        return Counter({str(status): int(count) for status, count in rows})

    def forget(self) -> None:
        """Nothing was ever sent."""
        self.receiver.taken.clear()
        self.database.ask(
            "drop schema if exists sent cascade; drop schema if exists sent_staging cascade; select 1"
        )
        for machine in self.machines:
            for path in (machine.folder / ".conversync").glob("*"):
                if path.is_file():
                    path.unlink()


ONCE = Counter({f"user-{n}": 1 for n in range(ROWS)})


@pytest.fixture
def shop(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[Shop]:
    """Forty users of an outbox, and a vendor that takes each row for another conversion."""
    database.ask(
        "create table public.users as select 'k' || n as send_key, 'purchase' as conversion_id, "
        f"'user-' || n as tested_user_external_id from generate_series(0, {ROWS - 1}) as n; select 1"
    )
    receiver = Receiver()
    with serve(receiver) as server:
        machines = []
        for name in ("a", "b"):
            folder = tmp_path / name
            (folder / "tmp").mkdir(parents=True)
            env = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TMPDIR": str(folder / "tmp"),
                "OPTIBASE_URL": server.url + ENDPOINT,
                "OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY,
                "CONVERSYNC_WAREHOUSE": str(folder / "warehouse.duckdb"),
                "DESTINATION__POSTGRES__CREDENTIALS": database.url,
            }
            machines.append(Machine(folder, nursery, env))
        shop = Shop(machines, database, receiver, server.faults)
        yield shop
        server.faults.clear()
        shop.forget()
    database.ask("drop table public.users cascade; select 1")


def two_at_once(shop: Shop, *more: str) -> list[Done]:
    done = [run.wait() for run in [machine.begin(*more) for machine in shop.machines]]
    assert shop.taken() == ONCE, [one.told for one in done]
    assert shop.statuses() == Counter(sent=ROWS)
    return sorted(done, key=lambda one: one.code)


def rounds(shop: Shop, count: int) -> None:
    for _ in range(count):
        first, second = two_at_once(shop)
        assert first.code == 0, first.told
        if second.code:
            second.refused(4, "Another run holds the sends to optibase.conversions on postgres", "--wait")
        shop.forget()


def test_d02_two_sends_at_once_send_each_row_once(shop: Shop) -> None:
    """Three rounds: the second is turned away, or finds nothing left."""
    rounds(shop, 3)


@pytest.mark.more
def test_d02_twenty_times_two_sends_at_once(shop: Shop) -> None:
    """The same."""
    rounds(shop, 20)


def test_d02_a_send_that_waits_finds_nothing_left(shop: Shop) -> None:
    """With --wait both end well, and what the first one was doubtful of is known to the second."""
    shop.faults.add(
        Fault(path=ENDPOINT, json={"testedUserExternalId": "user-7"}, times=1, taken=True, status=500)
    )
    done = [run.wait() for run in [machine.begin("--wait", "1m") for machine in shop.machines]]
    assert [one.code for one in done] == [3, 3], [one.told for one in done]
    assert shop.taken() == ONCE
    assert shop.statuses() == Counter(sent=ROWS - 1, in_doubt=1)
    for machine in shop.machines:
        machine.send().refused(3, "k7", "in doubt", "--resend-in-doubt", "--adopt")
    assert shop.taken() == ONCE


def slowly(shop: Shop) -> Forked:
    """A send of the first machine that is at work: some rows are taken, most are not."""
    slow = {"SEND_RATE": "10/s", "SEND_CONCURRENCY": "2"}
    run = replace(shop.machines[0], env={**shop.machines[0].env, **slow}).begin()
    until = time.monotonic() + 60
    while len(shop.receiver.taken) < 5:
        assert time.monotonic() < until
        time.sleep(0.01)
    return run


def cut(database: Cluster, run: Forked) -> None:
    """The server ends the session that holds its right to send."""
    query = f"from pg_stat_activity where application_name like 'conversync send %pid {run.pid})'"
    assert database.ask(f"select pg_terminate_backend(pid) {query}") == [(True,)]


def test_d02_a_send_that_lost_its_right_sends_nothing_more(shop: Shop) -> None:
    """Exit 4 and a sentence; what it sent is in the ledger, so the other machine sends the rest."""
    run = slowly(shop)
    cut(shop.database, run)
    taken = len(shop.receiver.taken)
    run.wait().refused(4, "The right to write was lost")
    assert len(shop.receiver.taken) <= taken + 2, "those that were on their way"
    assert shop.statuses() == Counter(sent=len(shop.receiver.taken))
    assert shop.machines[1].send().code == 0
    assert shop.taken() == ONCE


@pytest.mark.more
def test_d02_who_waits_for_a_right_that_is_lost_sends_nothing_twice(shop: Shop) -> None:
    """It comes before the other has told what it sent, and is refused; or after."""
    run = slowly(shop)
    waiting = shop.machines[1].begin("--wait", "1m")
    assert not waiting.ended(2)
    cut(shop.database, run)
    run.wait().refused(4, "The right to write was lost")
    done = waiting.wait()
    if done.code:
        done.refused(2, "has not ended", "--after-restore")
    assert shop.machines[1].send().code == 0
    assert shop.taken() == ONCE


def test_d02_a_killed_send_is_known_to_the_other_machine(shop: Shop) -> None:
    """What it sent is in no ledger: the other one is told where it began, until that one has told what it sent."""
    run = slowly(shop)
    run.signal(signal.SIGKILL)
    assert run.wait().code == -signal.SIGKILL
    time.sleep(0.2)  # what was on its way is taken
    taken = len(shop.receiver.taken)
    for more in ((), ("--dry-run",)):
        done = shop.machines[1].send(*more)
        assert "Send number 1 of optibase.conversions, which began on" in done.told
        assert "--after-restore" in done.told
        assert done.code == 2, done.told
    assert len(shop.receiver.taken) == taken
    first = shop.machines[0].send()
    assert first.code in (0, 3), first.told
    second = shop.machines[1].send()
    assert second.code == first.code, second.told
    assert all(count == 1 for count in shop.taken().values())
    doubts = shop.statuses()["in_doubt"]
    assert ROWS - doubts <= len(shop.receiver.taken) <= ROWS
    assert (first.code == 3) == bool(doubts)


def test_d02_who_knows_better_goes_on_after_a_send_that_never_ended(shop: Shop) -> None:
    """--after-restore: that machine is gone. From then on this one is not asked again."""
    run = slowly(shop)
    run.signal(signal.SIGKILL)
    run.wait()
    known = [user.removeprefix("user-") for user in shop.taken()]
    shop.database.ask(
        f"delete from public.users where send_key in ({', '.join(repr(f'k{n}') for n in known)}); select 1"
    )
    assert shop.machines[1].send().code == 2
    assert shop.machines[1].send("--after-restore").code == 0
    assert shop.machines[1].send().code == 0
    assert shop.taken() == ONCE
