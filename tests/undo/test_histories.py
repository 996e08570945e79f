"""Generated histories in which loads are taken back: late reversals, restatements, rows set aside, kills in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from tests.besitos.rows import row
from tests.books.nights import Feed
from tests.dbt.cluster import Cluster, binary
from tests.process.support import ProcessPool
from tests.support import at_once
from tests.undo.past import Past, Tables

MakePast = Callable[..., Past]
Rows = list[dict[str, Any]]
# So many points a load has, more or less, at which it can be killed.
POINTS = 700


def served(seed: int, nights: int, random: Random) -> Iterator[Rows]:
    """Each night's rows, some of which cannot be read: for a night, or for longer."""
    spoilt: Rows = []
    for rows in Feed(seed).tell(nights):
        if random.random() < 0.6:
            spoilt.append(
                row(90_000 + len(spoilt) + random.randrange(2), reward="many", date_time=rows[0]["date_time"])
            )
        if spoilt and random.random() < 0.4:
            spoilt.pop()
        yield [dict(one) for one in [*rows, *spoilt]]


class History:
    """What a warehouse went through; `stood` and `told`: by its newest commit, what it held, of which nights."""

    def __init__(self, past: Past, random: Random, nursery: ProcessPool | None) -> None:
        self.past, self.random, self.nursery = past, random, nursery
        self.nights: list[Rows] = []
        self.stood: dict[str, Tables] = {"": {}}
        self.told: dict[str, list[Rows]] = {"": []}
        self.undone = self.killed = 0

    def live(self, rows: Rows) -> None:
        """A night; often it is taken back, alone or with the one before, and sometimes loaded again."""
        is_killed = self.nursery is not None and self.random.random() < 0.5
        if self.nursery is not None and is_killed:
            self.past.killed(self.nursery, rows, self.random.randrange(1, POINTS))
            self.killed += 1
        self.load(rows)
        if self.random.random() < 0.3:
            return
        before, state = self.past.tables(times=False), self.past.state()
        taken = [self.undo() for _ in range(self.random.choice((1, 1, 2)))]
        if self.random.random() < 0.6 and len(taken) == 1:
            self.load(rows)
            if taken == [1]:
                again = self.past.tables(times=False)
                if is_killed:
                    # Evidence of what it did not commit whole is gone for good.
                    del before["windows"], again["windows"]
                assert (again, self.past.state()) == (before, state)

    def load(self, rows: Rows) -> None:
        self.past.night(rows)
        self.nights.append(rows)
        newest = self.past.newest()
        self.stood[newest], self.told[newest] = self.past.tables(), list(self.nights)

    def undo(self) -> int:
        """As it was before; what a killed run had committed goes, too, as a load of its own. How many went."""
        taken = 0
        while (taken == 0 or self.past.newest() not in self.stood) and self.past.newest():
            would = self.past.would_undo()
            assert would == self.past.undo()
            taken += 1
        newest = self.past.newest()
        assert self.past.tables() == self.stood[newest]
        self.nights = list(self.told[newest])
        self.undone += taken
        return taken


def lived(
    make_past: MakePast,
    seed: int,
    nights: int,
    nursery: ProcessPool | None,
    database: Cluster | None = None,
    *,
    is_compared: bool = True,
) -> History:
    """A history, and beside it (`is_compared`) a warehouse that never loaded what was taken back."""
    random = Random(seed)
    history = History(make_past(database=database), random, nursery)
    vendor = at_once() if random.random() < 0.75 else None
    history.past.vendor = vendor
    for rows in served(seed, nights, random):
        history.live(rows)
    if not history.nights:
        history.load(rows)
    if not is_compared:
        return history
    found = history.past.tables(times=False)
    if database is not None:
        database.ask("drop schema besitos cascade; drop schema besitos_staging cascade; select 1")
    never = make_past(database=database)
    never.vendor = vendor
    for rows in history.nights:
        never.night(rows)
    expected = never.tables(times=False)
    if history.killed:
        # What a killed run committed stands, with its evidence.
        for tables in (found, expected):
            del tables["windows"]
    assert found == expected
    return history


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_taken_back_was_never_loaded(make_past: MakePast, seed: int) -> None:
    """Row by row, times and loads included; loaded again it is what it was; and so is what comes later."""
    assert lived(make_past, seed, 3, None).undone


@pytest.mark.more
@pytest.mark.parametrize("seed", [1003])
def test_kills_in_between_change_nothing_of_that(
    make_past: MakePast, nursery: ProcessPool, seed: int
) -> None:
    """What a killed run left half done goes with the load after it."""
    history = lived(make_past, seed, 4, nursery, is_compared=False)
    assert history.undone
    assert history.killed


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2000, 2100))
def test_a_hundred_histories(make_past: MakePast, nursery: ProcessPool, seed: int) -> None:
    """Three of four with kills. A fifth are compared with a warehouse that never loaded what was taken back, too."""
    is_compared = seed % 5 == 0
    lived(make_past, seed, 3, nursery if seed % 4 else None, is_compared=is_compared)


@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
@pytest.mark.parametrize(
    "seed", [pytest.param(3000, marks=pytest.mark.more), pytest.param(3001, marks=pytest.mark.long)]
)
def test_the_same_on_a_server(make_past: MakePast, database: Cluster, seed: int) -> None:
    """With the right to write there."""
    assert lived(make_past, seed, 3, None, database).undone
