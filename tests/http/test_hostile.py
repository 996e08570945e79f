"""L04: whatever a vendor answers, it is read or refused within bounds of memory and time."""

from __future__ import annotations

import gc
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversync.errors import InvalidResponseError, TooLongError, UnavailableError
from conversync.extract.page_decoder import PageDecoder
from conversync.http.redact import redact
from conversync.http.strictjson import load_rows, loads
from conversync.sandbox import Sandbox, World
from sources.keitaro import log
from tests.http.conftest import MakeClient
from tests.http.hostile import BODIES, READERS, ROW, page
from tests.http.inflating import inflating
from tests.http.server import Server, reply
from tests.process.support import CONVERSYNC

ROOT = Path(__file__).parents[2]
MOST_MEGABYTES = 512
# Of one request, in seconds of CPU: a quarter of its deadline.
MOST_SECONDS = 30
# Of a command, in characters.
MOST_SAID = 20_000


def asked(
    bodies: Sequence[bytes], readers: Sequence[str], status: int = 200
) -> tuple[list[dict[str, Any]], float]:
    """What a process of its own makes of each body, and its peak of memory in MB; its CPU time is limited, too."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (20 + 15 * len(bodies),) * 2)

    with Server(*(reply(body, status) for body in bodies)) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.http.hostile", server.origin, *readers],
            cwd=ROOT,
            capture_output=True,
            text=True,
            preexec_fn=limit,
            check=False,
        )
        assert len(server.asked) == len(bodies), done.stderr
    assert done.returncode == 0, done.stderr[-2_000:]
    *told, last = map(json.loads, done.stdout.splitlines())
    return told, last["megabytes"]


QUICK = {
    "empty-rows": "more than 24 MB",
    "empty-rows-below-the-cap": "more than 200,000 objects",
    "wide-meta": "an object has 990,000 fields",
    "wide-envelope": "more than 1,000 fields beside its rows",
    "quotes-without-end": "its brackets are not closed",
    "huge-total": "without meta.total",
}


@pytest.mark.more
def test_l04_the_worst_bodies_are_refused_in_bounds() -> None:
    """Rows without end, wide objects, texts that never end: each with its sentence, all below 512 MB and in time."""
    told, megabytes = asked([BODIES[name]() for name in QUICK], ["besitos"] * len(QUICK))
    for one, words in zip(told, QUICK.values(), strict=True):
        assert words in one["outcome"]
        assert one["seconds"] < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


@pytest.mark.more
def test_l04_a_page_much_longer_than_asked_is_read(make_client: MakeClient) -> None:
    """A vendor that is deaf to the size of a page sends a month at once: tens of thousands of rows are a page, too."""
    body = page(b",".join(ROW % number for number in range(30_000)))
    with Server(reply(body)) as server:
        client = make_client(server.origin, request_deadline=60, read_timeout=60)
        assert client.request("GET", "/x", decode=READERS["besitos"]) == 30_000


def test_l04_decoding_stands_under_the_deadline(make_client: MakeClient) -> None:
    """Rows that take longer to read than a request may last are given up, as an answer that does not come."""
    body = page(b",".join(ROW % number for number in range(60_000)))
    with Server(reply(body)) as server:
        client = make_client(server.origin, request_deadline=1, read_timeout=1)
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match="did not answer GET /x in time"):
            client.request("GET", "/x", decode=READERS["besitos"], retry=False)
        assert time.monotonic() - begun < 10
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "most"), [(b"{}," * 200_000, "200,000 objects"), (b"1," * (10**6 + 1), "1,000,000 values")]
)
def test_l04_what_is_counted_before_it_is_built(make_client: MakeClient, body: bytes, most: str) -> None:
    """Objects and values of any body, whoever reads it; it is not asked for again."""
    with Server(reply(b"[" + body + b"{}]")) as server:
        with pytest.raises(TooLongError, match=f"more than {most}: ask for smaller pages"):
            make_client(server.origin).request("GET", "/x", decode=lambda answer: answer.json())
        assert len(server.asked) == 1


@pytest.mark.more
@pytest.mark.parametrize("name", ["raw-control-characters", "quotes-without-end-to-the-cap", "half-pairs"])
def test_l04_scans_are_linear(name: str) -> None:
    """Ten times the body takes about ten times as long, not a hundred."""
    whole = BODIES[name]()

    def seconds(body: bytes) -> float:
        begun = time.process_time()
        with suppress(InvalidResponseError):
            load_rows(body, "data")
        return time.process_time() - begun

    assert seconds(whole) < 40 * max(seconds(whole[: len(whole) // 10]), 0.05)


def test_l04_names_are_capped() -> None:
    """A row of a thousand fields or with a name of pages is set aside; its neighbours load."""
    wide = b"{" + b",".join(b'"n%d":1' % number for number in range(1_001)) + b"}"
    _, rows = load_rows(b'{"data":[{"a":1},' + wide + b',{"' + b"n" * 5_000 + b'":1},{"b":2}]}', "data")
    assert [row.fault for row in rows] == [
        None,
        "an object has 1,001 fields",
        "a field's name is longer than 4096 characters",
        None,
    ]


def test_l04_a_deep_value_costs_its_row() -> None:
    """Where anything may stand, too, however deep it is: no error is unexpected."""
    decoder = PageDecoder(
        log.FIELDS, rows="rows", beside=[], check=lambda _values: None, check_table=lambda _table: True
    )
    deep = b"[" * 100_000 + b"]" * 100_000
    for name in (b"status_history", b"revenue"):
        decoded = decoder.decode(b'{"rows":[{"event_id":"a"},{"event_id":"b","%b":%b}]}' % (name, deep))
        assert [bad.reason for bad in decoded.rejected] == ["it is nested more than 64 deep"]


@pytest.mark.parametrize(("reader", "most"), [("conductrics", 8), ("conductrics_detail", 1)])
def test_l04_goals_that_no_account_has_are_refused(make_client: MakeClient, reader: str, most: int) -> None:
    """All of them are in memory together, so a list, or one goal, has a length of its own that it may have."""
    goal = b'{"code":"a","name":"%b"}' % (b"x" * (most << 20))
    with Server(reply(b'{"status":200,"data":[' + goal + b"]}")) as server:
        client = make_client(server.origin, distrust_attempts=0, request_deadline=60, read_timeout=60)
        with pytest.raises(TooLongError, match=f"more than the {most} MB"):
            client.request("GET", "/x", decode=READERS[reader])


LET_GO = {
    "no-json": (b"x" * (8 << 20), "not JSON"),
    "no-end": (page(b'{"a":' + b"[" * 2_000 + b'"' + b"x" * (8 << 20)), "its brackets are not closed"),
    "no-rows": (b'{"note":"%b"}' % (b"x" * (8 << 20)), "no list of rows"),
    "an-error": (b'{"error":"%b"}' % (b"x" * (7 << 20)), "an error instead of data"),
    "rows": (page(b'{"note":"\xf0\x9f\x98\x80%b"}' % (b"x" * (8 << 20))), ""),
}


@pytest.mark.parametrize("name", LET_GO)
def test_l04_a_body_is_let_go_when_it_was_read(make_client: MakeClient, name: str) -> None:
    """At once, and not when garbage is collected, also where the error that it came to is kept."""
    body, words = LET_GO[name]
    decode = READERS["conductrics" if name == "an-error" else "besitos"]
    if name == "rows":
        decode = lambda answer: len(answer.rows("data")[1])  # noqa: E731
    with Server(reply(body)) as server:
        client = make_client(server.origin, distrust_attempts=0, request_deadline=60, read_timeout=60)
        told: list[object] = []
        gc.disable()
        tracemalloc.start()
        try:
            try:
                told.append(client.request("GET", "/x", decode=decode, retry=False))
            except InvalidResponseError as error:
                told.append(error)
            left, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert words in str(told[0])
    assert peak > len(body)
    assert left < 2 << 20, left


@pytest.mark.long
def test_l04_long_a_vendor_that_repeats_a_secret_is_masked_in_time() -> None:
    """The beginning of a token, a hundred thousand times over: the search looks at each place once."""
    text = "s3cret-t0ken" * 250_000
    begun = time.process_time()
    assert redact(text, "s3cret-t0ken-of-some-length").startswith("***")
    assert time.process_time() - begun < 20


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("status", [200, 400])
def test_l04_long_every_body_by_every_reader(reader: str, status: int) -> None:
    """All bodies, for each source and for what is sent: read or refused with a sentence, below 512 MB, in time."""
    told, megabytes = asked([make() for make in BODIES.values()], [reader] * len(BODIES), status)
    assert len(told) == len(BODIES)
    for name, one in zip(BODIES, told, strict=True):
        assert one["seconds"] < MOST_SECONDS, (name, one)
    assert megabytes < MOST_MEGABYTES


SIGNS = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"0", b"1e9", b"-", b".5", b"null", b"\xff", b"\n",
         b'"data":[', b'"rows":[', b'"meta":{', b'"a":1', b'{"transaction_id":1}', b"\\u0000", b"\\ud800"]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_l04_long_fuzzed_bodies(seed: int) -> None:
    """Signs of JSON at random, few or many of each, up to the cap, inside and outside of an envelope."""
    chance = random.Random(seed)
    bodies, readers = [], []
    for _ in range(20):
        parts = [
            chance.choice(SIGNS) * chance.choice([1, 1, 3, 1_000, 100_000])
            for _ in range(chance.randint(1, 40))
        ]
        middle = b"".join(parts)
        middle *= max(1, chance.choice([1, 20 * 1024 * 1024]) // max(len(middle), 1))
        bodies.append(
            chance.choice([middle, page(middle), page(b"", b'"meta":{"total":' + middle + b"}")])[: 40 << 20]
        )
        readers.append(chance.choice(list(READERS)))
    told, megabytes = asked(bodies, readers)
    assert max(one["seconds"] for one in told) < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


@pytest.mark.long
def test_l04_long_loads_is_linear_in_depth_and_width() -> None:
    """Documents as deep or as wide as may be are refused in seconds."""
    for body in (b"[" * 200_000, b"[" + b"[]," * 199_000 + b"[]]", b'{"a":' * 100_000):
        begun = time.process_time()
        with suppress(InvalidResponseError):
            loads(body)
        assert time.process_time() - begun < 5


def loaded(folder: Path, vendor: str, settings: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """The exit code and the peak in MB of a load of some days by the command, which is killed after so many seconds."""
    load = ["load", vendor, "--from", "2024-12-04", "--to", "2024-12-05"]
    code, megabytes = ran(folder, load, settings, seconds)
    assert code in (-9, 0, 3, 6)
    return code, megabytes


def ran(folder: Path, command: list[str], settings: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """The same of any command. It says little, whatever it was told."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    env["CONVERSYNC_WAREHOUSE"] = str(folder / "warehouse.duckdb")
    done = subprocess.run(
        [sys.executable, "-m", "tests.http.peak", str(seconds), str(CONVERSYNC), *command],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    assert "report it" not in done.stderr
    assert len(done.stderr) < MOST_SAID
    return told["code"], told["megabytes"]


@pytest.mark.long
@pytest.mark.parametrize("rows", [7_000, 30_000, 60_000])
def test_l04_long_a_run_that_is_answered_with_large_pages(tmp_path: Path, rows: int) -> None:
    """Every page the slow way, in texts of four bytes a sign, as many at a time as the settings allow: below 512 MB."""
    body = page(
        b",".join(ROW % number for number in range(rows)), b'"links":{},"meta":{"total":%d}' % (rows * 9)
    )
    with Server(reply(body)) as server:
        settings = {"BESITOS_URL": server.origin, "BESITOS_TOKEN": "s3cret-t0ken"}
        _, megabytes = loaded(tmp_path, "besitos", settings, 120)
        assert len(server.asked) > 1
    assert megabytes < MOST_MEGABYTES


def fat(field: bytes, literal: bytes, rows: int = 950) -> bytes:
    """A page of rows that are 25,000 bytes long each, as a rule, for one field of theirs."""
    row = ROW.replace(b'"note":"n"', b'"' + field + b'":' + literal)
    rows = min(rows, (23 << 20) // len(row))
    return page(b",".join(row % number for number in range(rows)), b'"links":{},"meta":{"total":%d}' % rows)


FAT = {
    "text": lambda: fat(b"memo", b'"' + b"x" * 25_000 + b'"'),
    "declared-text": lambda: fat(b"note", b'"' + b"x" * 25_000 + b'"'),
    "id": lambda: fat(b"survey_id", b'"' + b"x" * 25_000 + b'"'),
    "one-character-of-four-bytes-in-each": lambda: fat(b"note", b'"\xf0\x9f\x98\x80' + b"x" * 25_000 + b'"'),
    "characters-of-two-bytes": lambda: fat(b"note", b'"' + "ж".encode() * 12_500 + b'"'),
    "nul": lambda: fat(b"note", b'"' + b"\\u0000" * 4_100 + b'"'),
    "not-utf-8": lambda: fat(b"memo", b'"' + b"\xff" * 25_000 + b'"'),
    "digits": lambda: fat(b"reward_local_currency", b"0." + b"1" * 25_000),
    "fields": lambda: fat(b"memo", b"1," + b",".join(b'"n%d":1' % number for number in range(1_990))),
    "one-row": lambda: fat(b"note", b'"\xf0\x9f\x98\x80' + b"x" * (22 << 20) + b'"', 1),
    "rows-as-long-as-may-be": lambda: fat(b"memo", b'"' + b"x" * 7_500 + b'"'),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", FAT)
def test_l04_long_a_run_whose_rows_are_fat(tmp_path: Path, kind: str) -> None:
    """Valid pages of rows that no vendor has: read, or set aside, with room below 512 MB."""
    body = FAT[kind]()
    with Server(reply(body)) as server:
        settings = {"BESITOS_URL": server.origin, "BESITOS_TOKEN": "s3cret-t0ken"}
        _, megabytes = loaded(tmp_path, "besitos", settings, 120)
        assert server.asked
    assert megabytes < 450


VENDORS = ("besitos", "keitaro", "infobip", "conductrics")


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("megabytes", [4, 12, 30])
def test_l04_long_a_run_whose_answers_are_inflated(
    tmp_path: Path, vendor: str, megabytes: int, packed: bool
) -> None:
    """Rows that are sound, far more of them than were asked for, in every answer of every vendor: below 512 MB."""
    world = World(start=date(2024, 12, 1), days=8)
    with Sandbox(world) as sandbox, inflating(sandbox.url, megabytes << 20, packed=packed) as vendors:
        settings = {**sandbox.settings(), f"{vendor.upper()}_URL": vendors.url}
        _, peak = loaded(tmp_path, vendor, settings, 60)
    assert max(vendors.sizes) > (megabytes - 1) << 20
    assert peak < MOST_MEGABYTES


@pytest.mark.long
@pytest.mark.parametrize("vendor", VENDORS)
def test_l04_long_a_run_that_is_answered_with_every_body(tmp_path: Path, vendor: str) -> None:
    """One after the other, packed and not, as the run asks again and again: below 512 MB, each with a sentence."""
    bodies = [make() for make in BODIES.values()]
    packed = [reply(gzip.compress(body, 1), Content_Encoding="gzip") for body in bodies]
    script = [step for body, other in zip(bodies, packed, strict=True) for step in (reply(body), other)]
    with Sandbox(World()) as sandbox:
        settings = sandbox.settings()
    for begin in range(0, len(script), 4):
        with Server(*script[begin:], *script[:begin]) as server:
            code, megabytes = loaded(
                tmp_path, vendor, {**settings, f"{vendor.upper()}_URL": server.origin}, 120
            )
            assert server.asked
        # Some of them hold an empty list where a vendor has its rows: that is an answer.
        assert (code in (0, 3, 6), megabytes < MOST_MEGABYTES) == (True, True), (begin, code, megabytes)
