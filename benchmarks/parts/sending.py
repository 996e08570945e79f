"""What sending reaches at 50 ms a request and 8 at a time, beside a bare client that keeps no journal.

Rows a second are counted where the requests arrive, from the first to the last. CPU a row is what a send of all rows
takes more than one of a few, by its process. With `--code` the same is measured with the code of other checkouts, too.
"""

import http.client
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from benchmarks.contestants import DATABASE
from benchmarks.environments import ROOT
from benchmarks.parts.part import Measure, Notes, Wish
from benchmarks.runner import BenchmarkError, clean_environment, measured
from conversync.sandbox.faults import Fault
from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.server import Server
from conversync.sandbox.world import World

KEY = "benchmark-key"
PATH = f"/{KEY}/postback"
AT_ONCE, FEW = 8, 100
ROWS, DELAY = 2_000, 0.05
OURS, BARE = "conversync", "a bare client"
SEND = "send"
COMMAND = "import sys; from conversync.cli.main import main; sys.argv[0] = 'conversync'; main()"


class Tracker:
    """Takes every postback, and knows when each came."""

    name = "tracker"

    def __init__(self) -> None:
        self.came: list[float] = []

    def answer(self, request: Request) -> Answer | None:
        """Yes to a postback."""
        return json_answer(200, {"ok": True}) if request.path == PATH else None

    def stamp(self) -> None:
        """A request is there."""
        self.came.append(time.monotonic())

    @property
    def rate(self) -> float:
        """Requests a second; those that came first all at once count for none."""
        return (len(self.came) - AT_ONCE) / (self.came[-1] - self.came[AT_ONCE - 1])


def send(code: Path, url: str, rows: int) -> float:
    """One send of so many rows that are new, from a new warehouse; its CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="conversync-sending-") as folder:
        home = Path(folder)
        with duckdb.connect(str(home / DATABASE)) as connection:
            connection.execute(OUTBOX.format(rows=rows))
        environment = clean_environment() | {
            "PYTHONPATH": str(code),
            "HOME": folder,
            "SEND_CONCURRENCY": str(AT_ONCE),
        }
        environment |= {"KEITARO_URL": url, "KEITARO_POSTBACK_KEY": KEY, "SEND_MAX_ROWS": str(rows)}
        environment["CONVERSYNC_WAREHOUSE"] = str(home / DATABASE)
        command = [sys.executable, "-c", COMMAND, "send", "keitaro.conversions", "--from", "out"]
        cost = measured(command, environment, home, home / "output.log")
        with duckdb.connect(str(home / DATABASE), read_only=True) as connection:
            sent = connection.execute(
                "select count(*) from sent.keitaro_conversions where status = 'sent'"
            ).fetchall()
        if sent != [(rows,)]:
            raise BenchmarkError(f"{sent} of {rows} rows were sent")
        return cost.cpu


OUTBOX = """
    create table out as
    select 'k' || n as send_key, 'click-' || n as subid, 'sale' as status, 1.25::decimal(18, 6) as payout,
        'USD' as currency, 't' || n as tid
    from range({rows}) as rows(n)
"""


def bare(port: int, rows: int) -> None:
    """The same requests by threads that do nothing else."""
    numbers = itertools.count()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (number := next(numbers)) < rows:
            query = f"subid=click-{number}&status=sale&payout=1.25&currency=USD&tid=t{number}"
            connection.request("GET", f"{PATH}?{query}")
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rounds(
    codes: Sequence[Path], count: int, rows: int, delay: float
) -> Iterator[tuple[Path | None, float, float]]:
    """Each round's code (None is the bare client), rows a second, and CPU ms a row."""
    tracker = Tracker()
    with Server(World(days=1), [tracker]) as server:
        server.faults.add(Fault(path=PATH, delay=delay, action=tracker.stamp))
        for number in range(count):
            tracker.came.clear()
            bare(server.port, rows)
            yield None, tracker.rate, 0.0
            for code in codes if number % 2 else codes[::-1]:
                few = send(code, server.url, FEW)
                tracker.came.clear()
                cpu = send(code, server.url, rows)
                yield code, tracker.rate, (cpu - few) * 1000 / (rows - FEW)


def part(count: int = 3) -> Measure:
    """A measure of so many rounds."""

    def run(wish: Wish, notes: Notes) -> None:
        rows = wish.sizes[0] if wish.sizes else ROWS
        notes.facts.update(at_once=AT_ONCE, delay=DELAY)
        for code, rate, cpu in rounds((ROOT, *wish.codes), wish.rounds or count, rows, DELAY):
            subject = BARE if code is None else OURS if code == ROOT else code.name
            notes.figure(subject, SEND, rows, {"rate": rate} | ({"ms": cpu} if code else {}))

    return run
