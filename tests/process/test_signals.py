"""C04: SIGTERM and SIGINT at every stage of a run end it soon, with their own code, and harm nothing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from conversync.sandbox import Fault
from tests.process.support import FEED, PATIENCE, ROOT, Done, Forked, Place, Wish, reads_at_once

# The promise is 30 s. Nothing here needs the last resort, which comes after 20.
SOON = 15.0
STAGES: dict[str, tuple[int, dict[str, Any]]] = {
    "first-page-silent": (signal.SIGTERM, {"page": 1, "delay": 60.0}),
    "later-page-silent": (signal.SIGINT, {"page": 3, "delay": 60.0}),
    "body-stalls": (signal.SIGTERM, {"page": 2, "stall_after": 100}),
    "body-drips": (signal.SIGINT, {"page": 1, "slow_bytes_per_second": 50.0}),
    "vendor-asks-us-to-wait": (signal.SIGTERM, {"page": 2, "status": 429, "headers": {"Retry-After": "200"}}),
    "second-window": (signal.SIGINT, {"page": 1, "query": {"is_reverse": "true"}, "delay": 60.0}),
}


def stopped(done: Done, number: int) -> None:
    """It ended with 128 + number and said so."""
    done.refused(128 + number, f"stopped by {signal.Signals(number).name}")


@pytest.mark.quick(1)
@pytest.mark.parametrize("stage", STAGES)
def test_c04_while_the_vendor_is_slow(place: Place, stage: str) -> None:
    """Whatever the vendor keeps us waiting with, no page on its way holds up the end."""
    number, trouble = STAGES[stage]
    fault = place.sandbox.faults.add(Fault(path=FEED, **trouble))
    place.env["BESITOS_PAGE_SIZE"] = "50"
    run = place.begin()
    deadline = time.monotonic() + PATIENCE
    while not fault.delivered and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fault.delivered
    time.sleep(0.1)
    run.signal(number)
    sent = time.monotonic()
    stopped(run.wait(), number)
    assert time.monotonic() - sent < SOON
    assert place.leftovers() == []


def stop_at_points(place: Place, count: int, seed: int, points: int) -> None:
    random = Random(seed)
    for _ in range(count):
        number = random.choice([signal.SIGTERM, signal.SIGINT])
        done = place.load(at=random.randrange(1, points), number=number)
        stopped(done, number)
        assert done.seconds < SOON
        assert place.leftovers() == []
    place.loaded()
    assert place.held() == place.sandbox.besitos.oracle.held(reads_at_once(place.sandbox.besitos.reads))


@pytest.mark.more
def test_c04_at_points_of_a_first_run_and_then_a_clean_one(place: Place) -> None:
    """While files are written and statements run: an end with the signal's code; then the next run is right."""
    stop_at_points(place, 3, 4, 350)


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))
def test_c04_long_at_points_of_a_run(place: Place, part: int) -> None:
    """A hundred and fifty signals."""
    stop_at_points(place, 30, 40 + part, 350)


SWALLOWED = """
from conversync.cli import process
process.GRACE = 0.3
signals = process.Signals()
import signal, time
while True:
    try:
        print("ready", flush=True)
        time.sleep(60)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("signals", [1, 2], ids=["last-resort", "second-signal"])
def test_c04_an_end_that_is_swallowed_comes_all_the_same(signals: int) -> None:
    """Code that swallows whatever a signal raises cannot keep the process: after a grace, or at the second signal."""
    with subprocess.Popen(
        [sys.executable, "-c", SWALLOWED], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.05)
            assert process.wait(10) == 143
        finally:
            process.kill()


@pytest.mark.more
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a07_one_line_says_what_is_waited_for_and_the_last_one_what_is_committed(
    place: Place, log_format: str
) -> None:
    """Without a terminal, too: a vendor that holds us up is told once, on standard error; Ctrl-C says where we are."""
    limited = Fault(
        path=FEED, page=1, query={"is_reverse": "true"}, status=429, headers={"Retry-After": "200"}
    )
    place.sandbox.faults.add(limited)
    run = place.begin("--log-format", log_format)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if run.stderr.exists() and "limiting our rate" in run.stderr.read_text():
            break
        time.sleep(0.05)
    run.signal(signal.SIGINT)
    done = run.wait()
    stopped(done, signal.SIGINT)
    assert limited.delivered
    [line] = [line for line in done.err.splitlines() if "limiting our rate" in line]
    if log_format == "json":
        told = json.loads(line)
        assert (told["event"], told["vendor"], told["status"], told["at_most"]) == (
            "waiting",
            "Besitos",
            429,
            600,
        )
        assert datetime.fromisoformat(told["until"]) > datetime.now(UTC)
    else:
        limiting = r"conversync: Besitos is limiting our rate \(429.*\); waiting until [\d:]{8} UTC"
        assert re.fullmatch(limiting + ", at most 10 minutes in all", line)
    [[received]] = place.query("select sum(received) from besitos.windows")
    last = done.err.splitlines()[-1]
    assert (json.loads(last)["text"] if log_format == "json" else last) == (
        f"conversync: stopped by SIGINT; committed in this run: besitos 1 window ({received:,} rows, "
        f"the last: {window_of(place)}); the same command reads all of its days again, which doubles nothing."
    )


def window_of(place: Place) -> str:
    """What the one committed window is called."""
    query = "select stream, min(window_start), max(window_end) from besitos.windows group by stream"
    [[stream, start, end]] = place.query(query)
    return f"{stream} {start} .. {end}"


def interrupted(run: Forked, fault: Fault) -> Done:
    """Ctrl-C as soon as it met the fault."""
    deadline = time.monotonic() + PATIENCE
    while not fault.delivered and time.monotonic() < deadline:
        time.sleep(0.02)
    run.signal(signal.SIGINT)
    done = run.wait()
    stopped(done, signal.SIGINT)
    return done


def test_a07_a_run_that_had_nothing_yet_says_so(place: Place) -> None:
    """An hour of 500s: the end line does not speak of anything committed."""
    fault = place.sandbox.faults.add(Fault(path=FEED, status=500))
    done = interrupted(place.begin(), fault)
    assert "this run had committed nothing yet" in done.err.splitlines()[-1]


def test_a07_what_is_no_load_does_not_speak_of_going_on(place: Place) -> None:
    """Where nothing says where another run goes on, none is said to."""
    fault = place.sandbox.faults.add(Fault(path=FEED, delay=60.0))
    done = interrupted(place.nursery.start(Wish(["check", "besitos"], place.env, str(place.folder))), fault)
    safe = "what was committed is safe, and the same command can be run again."
    assert done.err.splitlines()[-1] == f"conversync: stopped by SIGINT; {safe}"


QUERY = """
import os, signal, sys, threading, duckdb
from conversync.cli import process
from conversync.dlt_errors import translate_errors

signals = process.Signals()
threading.Timer(0.5, os.kill, (os.getpid(), getattr(signal, sys.argv[1]))).start()
try:
    with translate_errors():
        duckdb.sql("select count(*) from range(1000000000000) as t(i) where hash(i) = 1").fetchall()
except SystemExit:
    print("ended by", signals.received.name)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_c04_within_a_query_it_is_no_unexpected_error(name: str) -> None:
    """DuckDB raises an error of its own in place of what the signal's handler raised: it is the same end."""
    done = subprocess.run(
        [sys.executable, "-c", QUERY, name], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"ended by {name}\n"), done.stderr
