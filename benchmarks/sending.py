"""What sending reaches at 50 ms a request and 8 at a time: `python -m benchmarks.sending`.

python -m benchmarks.sending                       2,000 rows, beside a bare client that keeps no journal
python -m benchmarks.sending --code ../other       and the same with the code of another checkout

Told are medians. Rows a second are counted where the requests arrive, from the first to the last, and told as a share
of what 8 at a time come to at so many ms, and of what the bare client reached on this machine. CPU a row is what a send
of all rows takes more than one of a few, by its process. The rounds are interleaved.
"""

import argparse
import http.client
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.contestants import DATABASE
from benchmarks.runner import ROOT, BenchmarkError, clean_environment, compile_everything, measured
from conversync.sandbox.faults import Fault
from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.server import Server
from conversync.sandbox.world import World

KEY = "benchmark-key"
PATH = f"/{KEY}/postback"
AT_ONCE, FEW = 8, 100
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


def main(arguments: list[str] | None = None) -> int:
    """0 when every send ended well."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sending",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that each answer takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--code", type=Path, action="append", default=[], help="another checkout, beside it")
    options = parser.parse_args(arguments)
    codes = [ROOT, *(path.resolve() for path in options.code)]
    compile_everything()
    found: dict[Path | None, list[tuple[float, float]]] = {code: [] for code in (None, *codes)}
    try:
        for code, rate, cpu in rounds(codes, options.rounds, options.rows, options.delay):
            found[code].append((rate, cpu))
            print(f"{code.name if code else 'bare':<12} {rate:.1f} rows/s  {cpu:.2f} ms a row", flush=True)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    ceiling, reached = AT_ONCE / options.delay, median(rate for rate, _ in found[None])
    for code, some in found.items():
        rate, cpu = (median(one) for one in zip(*some, strict=True))
        shares = f"{rate / ceiling:.0%} of {ceiling:.0f}, {rate / reached:.0%} of the bare client"
        print(f"{code.name if code else 'bare':<12} {rate:.1f} rows/s, {shares}; CPU {cpu:.2f} ms a row")
    return 0


if __name__ == "__main__":
    sys.exit(main())
