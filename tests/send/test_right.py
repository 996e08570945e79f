"""D02: two machines send out of one PostgreSQL. The right to send lies there, and so do the books."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
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
