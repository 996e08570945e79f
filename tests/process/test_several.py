"""Sources side by side: who waits for a vendor holds up nobody else, and the promises hold for several."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox
from tests.nightly.support import small_world
from tests.process.support import FEED, PATIENCE, Done, Forked, Place, ProcessPool, Wish
from tests.support import parts, tables

# Not the order of their names, so that a summary that follows the asking can be told.
SOURCES = ["keitaro", "besitos", "infobip", "conductrics"]
LAST_OF = {
    "besitos": "catalogue",
    "keitaro": "lists",
    "conductrics": "goals and agents",
    "infobip": "3 pairs",
}
PATHS = {"besitos": FEED, "keitaro": "/admin_api/*", "conductrics": "/admin/*", "infobip": "/1/*"}
LOOKED = ("last_seen_at", "rejection_seen_at")
SOON = 15.0
SEED = 71


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """All vendors of a week that ends today."""
    with Sandbox(small_world()) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool) -> Place:
    """With the settings of all of them, and no warehouse yet."""
    place = Place(tmp_path, sandbox, nursery)
    first = str(sandbox.world.start - timedelta(days=1))  # UTC's first hours are the day before in EST
    place.env |= sandbox.settings() | {f"{name.upper()}_START_DATE": first for name in LAST_OF}
    return place


def begin(place: Place, **wish: Any) -> Forked:
    """A forked load of all sources, whose lines are JSON."""
    argv = ["load", *SOURCES, "--log-format", "json"]
    return place.nursery.start(Wish(argv, place.env, str(place.folder), **wish))


def lines(text: str) -> list[dict[str, Any]]:
    """Every line, which is one object: none is mixed with another."""
    return [json.loads(line) for line in text.splitlines()]


def summary(done: Done) -> list[dict[str, Any]]:
    """What is told of each source at the end."""
    [found] = [line for line in lines(done.out) if line["event"] == "summary"]
    return list(found["sources"])


def windows(text: str) -> list[tuple[str, str]]:
    """The dataset and the name of each window that was committed, in the order in which that was told."""
    return [(one["dataset"], one["window"]) for one in lines(text) if one["event"] == "window"]


def until(condition: Any) -> bool:
    """Whether it comes true while somebody waits for it."""
    deadline = time.monotonic() + PATIENCE / 2
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(met)


def everything(place: Place) -> dict[str, dict[str, Counter[tuple[Any, ...]]]]:
    """All tables of all datasets, but for when it was seen."""
    return {dataset: tables(place.warehouse, dataset, *LOOKED) for dataset in sorted(SOURCES)}


def held_until_others_are_done(place: Place, slow: str) -> tuple[Forked, Fault]:
    """A load in which a vendor does not answer before all the others are committed."""
    others = {(name, LAST_OF[name]) for name in SOURCES if name != slow}
    started: list[Forked] = []

    def others_are_done() -> bool:
        text = started[0].stderr.read_text() if started else ""
        told = {(dataset, label) for dataset, label in windows(text[: text.rfind("\n") + 1])}
        return all(any(d == name and label.startswith(last) for d, label in told) for name, last in others)

    fault = Fault(path=PATHS[slow], times=1, action=lambda: until(others_are_done))
    place.sandbox.faults.add(fault)
    started.append(begin(place))
    return started[0], fault


@pytest.mark.quick(1)
@pytest.mark.parametrize("slow", SOURCES)
def test_others_are_committed_while_a_vendor_does_not_answer(place: Place, slow: str) -> None:
    """Whichever it is; and the summary has them in the order in which they were asked for."""
    run, fault = held_until_others_are_done(place, slow)
    done = run.wait()
    assert done.code == 0, done.told
    assert fault.delivered == 1
    told = [dataset for dataset, _ in windows(done.err)]
    assert told.index(slow) > max(place for place, dataset in enumerate(told) if dataset != slow)
    assert [one["dataset"] for one in summary(done)] == SOURCES
    assert all(one["read"] for one in summary(done))
    committed = {
        name: place.query(
            f"select min(inserted_at), max(inserted_at) from {name}._dlt_loads where status = 0"
        )[0]
        for name in SOURCES
    }
    assert all(committed[name][1] < committed[slow][0] for name in SOURCES if name != slow)
    assert place.leftovers() == []


@pytest.mark.more
def test_it_holds_what_the_sources_one_by_one_would(place: Place) -> None:
    """All tables are those of four loads, one after the other."""
    assert begin(place).wait().code == 0
    together = everything(place)
    place.warehouse.unlink()
    for name in SOURCES:
        done = place.run("load", name)
        assert done.code == 0, done.told
    assert everything(place) == together


def test_a_vendor_that_fails_stops_no_other(place: Place, sandbox: Sandbox) -> None:
    """One refuses the credentials, one answers in another form: each has its sentence, the others their rows."""
    sandbox.faults.add(Fault(path=PATHS["keitaro"], status=401))
    sandbox.faults.add(Fault(path=PATHS["infobip"], html=True))
    done = begin(place).wait()
    told = summary(done)
    assert done.code == 5, done.told
    assert [(one["dataset"], one["exit_code"]) for one in told] == list(
        zip(SOURCES, (5, 0, 6, 0), strict=True)
    )
    assert all(bool(one["error"]) == bool(one["exit_code"]) for one in told)
    assert all(one["read"] for one in told if not one["exit_code"])


def stopped(done: Done, number: int, place: Place) -> None:
    """It ended with 128 + number, in time, said so last, and left nothing."""
    done.refused(128 + number, f"stopped by {signal.Signals(number).name}")
    assert f"stopped by {signal.Signals(number).name}" in done.err.splitlines()[-1]
    assert place.leftovers() == []


@pytest.mark.quick(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_that_wait(place: Place, sandbox: Sandbox, number: signal.Signals) -> None:
    """However many vendors do not answer."""
    faults = [Fault(path=path, delay=60.0) for path in PATHS.values()]
    sandbox.faults.add(*faults)
    run = begin(place)
    assert until(lambda: all(fault.delivered for fault in faults))
    run.signal(number)
    sent = time.monotonic()
    stopped(run.wait(), number, place)
    assert time.monotonic() - sent < SOON


@pytest.mark.more
def test_a_signal_ends_who_works_beside_one_that_waits(place: Place, sandbox: Sandbox) -> None:
    """At points all over the run, one vendor not answering; then a clean run holds what it should."""
    sandbox.faults.add(Fault(path=PATHS["infobip"], delay=60.0))
    random = Random(SEED)
    for point in (random.randrange(20, 160), random.randrange(160, 500), random.randrange(500, 900)):
        number = random.choice([signal.SIGINT, signal.SIGTERM])
        run = begin(place, at=point, number=number)
        stopped(run.wait(), number, place)
    sandbox.faults.clear()
    done = begin(place).wait()
    assert done.code == 0, done.told


def kill_and_recover(place: Place, count: int, seed: int) -> None:
    """Kills at points of first runs, a vendor being slow beside them; the next run holds what an unharmed one does."""
    points = place.folder / "points"
    unharmed = begin(place, points=str(points)).wait()
    assert unharmed.code == 0, unharmed.told
    met, right = int(points.read_text()), everything(place)
    random = Random(seed)
    for number in range(count):
        clear(place)
        place.sandbox.faults.add(Fault(path=PATHS[random.choice(SOURCES)], delay=0.05))
        at = 1 + int((number + random.random()) * (met - 20) / count)
        assert begin(place, at=at).wait().code == -signal.SIGKILL
        place.sandbox.faults.clear()
        healed = begin(place).wait()
        assert healed.code == 0, f"killed at {at} of {met}: {healed.told}"
        assert everything(place) == right, f"killed at {at} of {met}"


def clear(place: Place) -> None:
    """As before the first run."""
    place.warehouse.unlink()
    place.warehouse.with_name("warehouse.duckdb.wal").unlink(missing_ok=True)
    shutil.rmtree(place.folder / ".conversync")


@pytest.mark.more
def test_after_a_kill_while_one_commits_and_another_reads_the_next_run_is_right(place: Place) -> None:
    """kill -9 at points drawn from all over a run of all sources."""
    kill_and_recover(place, 3, SEED)


@pytest.mark.long
@pytest.mark.parametrize("part", parts(5, more=0))
def test_long_kills_all_over_a_run_of_all_sources(place: Place, part: int) -> None:
    """Fifty of them."""
    kill_and_recover(place, 10, SEED + 1 + part)
