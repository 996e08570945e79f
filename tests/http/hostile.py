"""Bodies that a hostile vendor may send, and a process that asks for them as each source does, with its peak of memory.

`python -m tests.http.hostile ORIGIN READER...` asks ORIGIN once for each reader, and prints for each a JSON line:
what came of it, and how many seconds of CPU it took; at the end the peak of its resident memory in MB.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

MEGABYTE = 1024 * 1024
# Of a body, a little less than the cap.
FULL = 23 * MEGABYTE

ROW = (
    b'{"user_id":"u1","transaction_id":%d,"reward":12.5,"payout":3.25,"offer_id":"7","offer_name":"An offer",'
    b'"note":"n","date_time":"2024-12-04 06:25:36","goal_id":"g","reverse":0,"x":"\xf0\x9f\x98\x80"}'
)


def page(rows: bytes, beside: bytes = b'"links":{},"meta":{"total":1}') -> bytes:
    """Rows under each name that a vendor has for them."""
    return b'{"data":[' + rows + b'],"rows":[],"total":0,' + beside + b"}"


def times(piece: bytes, size: int = FULL) -> bytes:
    """So many pieces, with commas, as fill a size."""
    return b",".join([piece] * (size // (len(piece) + 1)))


def names(count: int) -> bytes:
    """The members of an object."""
    return b",".join(b'"n%d":1' % number for number in range(count))


BODIES: dict[str, Callable[[], bytes]] = {
    "empty-rows": lambda: page(times(b"{}", 60 * MEGABYTE)),
    "empty-rows-below-the-cap": lambda: page(times(b"{}")),
    "as-many-empty-rows-as-may-be": lambda: page(times(b"{}", 590_000)),
    "wide-meta": lambda: page(b"", b'"meta":{' + names(990_000) + b"}"),
    "wide-envelope": lambda: page(b"", names(990_000)),
    "wide-row": lambda: page(b"{" + names(990_000) + b"}"),
    "quotes-without-end": lambda: page(b'{"a":' + b"[" * 2_000 + b'"' + b'\\"' * 40_000)[: 9 + 87_000],
    "quotes-without-end-to-the-cap": lambda: page(b'{"a":' + b"[" * 2_000 + b'"' + b'\\"' * (FULL // 2)),
    "raw-control-characters": lambda: page(b"\n" * 20_000_000 + times(b'{"a":"\x01"}', 1_500_000)),
    "rows-with-a-strange-field": lambda: page(b",".join(ROW % number for number in range(70_000))),
    "decimals": lambda: page(b'{"a":[' + b",".join([b"0.1"] * 990_000) + b"]}"),
    "deep": lambda: page(b"[" * 190_000 + b"]" * 190_000),
    "deep-rows": lambda: page(times(b'{"a":' + b"[" * 1500 + b"]" * 1500 + b"}", 390_000)),
    "long-number": lambda: page(b'{"transaction_id":' + b"9" * FULL + b"}"),
    "long-fraction": lambda: page(b'{"reward":0.' + b"1" * FULL + b"}"),
    "long-name": lambda: page(b'{"' + b"a" * FULL + b'":1}'),
    "long-text-of-four-bytes": lambda: page(b'{"note":"' + "\U0001f600".encode() * (FULL // 4) + b'"}'),
    "huge-exponents": lambda: page(times(b'{"transaction_id":1e999999999,"reward":1e-999999999}', 2_000_000)),
    "huge-total": lambda: page(b"", b'"links":{},"meta":{"total":1' + b"0" * 390 + b"}"),
    "numbered": lambda: b'{"data":{' + b",".join(b'"%d":{}' % n for n in range(190_000)) + b'},"meta":{"total":1}}',
    "errors": lambda: b'{"errors":{' + b",".join(b'"f%d":["no"]' % n for n in range(900)) + b"}}",
    "error-of-megabytes": lambda: b'{"error":"' + b"Bearer s3cret-t0ken " * (FULL // 20) + b'"}',
    "half-pairs": lambda: page(times(b'{"a":"\\ud800"}', 2_000_000)),
    "not-utf-8": lambda: page(times(b'{"a":"\xff"}', 1_500_000)),
    "backslashes": lambda: page(b'{"a":"' + b"\\" * FULL),
    "colons": lambda: b":" * FULL,
    "blanks": lambda: b" " * FULL,
    "nothing-but-text": lambda: b"x" * FULL,
    "a-page": lambda: b"<html>" + b"x" * FULL,
}  # fmt: skip


def besitos(answer: Any) -> Any:
    from sources.besitos import feed

    page = feed.page(answer, 1, feed.decoder(), [feed.DOCUMENTED])
    return feed.Totals(silent=False).judge(page).decoded.received


def keitaro(answer: Any) -> Any:
    from conversync.extract.page_decoder import PageDecoder
    from sources.keitaro import log, tracker

    shown = tracker.sample(answer)
    decoder = PageDecoder(
        log.FIELDS,
        rows="rows",
        beside=tracker.beside(shown.envelope),
        check=lambda _values: None,
        check_table=lambda _table: True,
    )
    return decoder.decode(answer.body).received


def infobip(answer: Any) -> Any:
    from conversync.extract.windows import Window
    from sources.infobip import statistics
    from sources.infobip.pairs import Pair

    day = date(2024, 12, 4)
    return statistics.rates(answer, Pair("p", "a", "b"), Window(day, day)).received


def infobip_times(answer: Any) -> Any:
    from sources.infobip import statistics
    from sources.infobip.pairs import Pair

    start, end = datetime(2024, 12, 4, tzinfo=UTC), datetime(2024, 12, 5, tzinfo=UTC)
    frame = statistics.Frame(start, end, start, end)
    return statistics.times(answer, Pair("p", "a", "b"), frame, date(2024, 12, 6)).received


def conductrics(answer: Any) -> Any:
    from sources.conductrics.envelope import items

    return len(items(answer))


def conductrics_detail(answer: Any) -> Any:
    from sources.conductrics.envelope import item

    return item(answer).fault


def target(answer: Any) -> Any:
    from conversync.send.response_words import ResponseReader

    return ResponseReader("Optibase", "Check it.").rejection(answer)


READERS: dict[str, Callable[[Any], Any]] = {
    reader.__name__: reader
    for reader in (besitos, keitaro, infobip, infobip_times, conductrics, conductrics_detail, target)
}


def main(origin: str, *wanted: str) -> None:
    """Asks once for each reader's name, in one connection's turn."""
    import conversync.load  # noqa: F401 - what a run has in its memory
    from conversync.cli.process import give_memory_back
    from conversync.errors import ConversyncError
    from conversync.http.client import Client, Limits

    give_memory_back()
    limits = Limits(distrust_attempts=0, http_budget=0.1, backoff=0.01, request_deadline=120)
    with Client(
        origin,
        vendor="Besitos",
        headers={"Authorization": "Bearer s3cret-t0ken"},
        credentials_hint="",
        limits=limits,
    ) as client:
        for name in wanted:
            begun = time.process_time()
            decode: Any = partial(READERS[name])
            try:
                outcome = f"read {client.request('GET', '/x', decode=decode, accept=(400,), retry=False)}"
            except ConversyncError as error:
                outcome = f"{type(error).__name__}: {error}"
            told = {"reader": name, "outcome": outcome[:400], "seconds": time.process_time() - begun}
            print(json.dumps(told), flush=True)  # noqa: T201 - for the test
    print(json.dumps({"megabytes": peak()}))  # noqa: T201


def peak() -> float:
    """The most memory that this program had at a time, in MB.

    (`ru_maxrss` would be no less than what the test's own process had when it started this one.)
    """
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
