"""K03, H15: the token is in no output, no file and no argument, however a run ends."""

from __future__ import annotations

import base64
import html
import shutil
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from conversync.sandbox import Fault, Sandbox
from tests.process.nights import two_nights
from tests.process.support import FEED, Place, ProcessPool

CANARY = "canary/7f3a+b9=Zq~secret"


def forms(secret: str) -> set[bytes]:
    """As it is, percent-encoded, and in base64 at each of the three offsets that text around it can give it."""
    found = {secret, quote(secret, safe=""), quote(secret)}
    for before in ("", "x", "xx", "Bearer "):
        encoded = base64.b64encode((before + secret).encode()).decode()
        found.add(encoded[4 if before in ("x", "xx") else 0 : -4])
    found |= {form[:-1] for form in found}
    return {form.encode() for form in found}


@pytest.fixture
def canary(tmp_path: Path, nursery: ProcessPool) -> Iterator[Place]:
    """A vendor that wants the canary, and gives up quickly."""
    with Sandbox(two_nights(), token=CANARY) as sandbox:
        place = Place(tmp_path, sandbox, nursery)
        place.env["HTTP_BUDGET"] = "0"
        yield place


def nothing_tells(place: Place, *told: str) -> None:
    """Neither what was printed nor any file in the place."""
    files = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    for form in forms(CANARY):
        assert not [text for text in told if form in text.encode()], form
        assert not [path for path, data in files.items() if form in data], form


ECHO = CANARY.encode()
TROUBLES: dict[str, tuple[int, dict[str, Any]]] = {
    "none": (0, {"times": 0}),
    "401": (5, {"status": 401, "body": b'{"message":"' + ECHO + b'"}'}),
    "k22-422": (
        6,
        {"status": 422, "body": b'{"errors":{"token":["' + quote(CANARY, safe="").encode() + b' is none"]}}'},
    ),
    "k22-403-html-escaped": (
        5,
        {"status": 403, "body": b'{"error":"' + html.escape(CANARY).encode() + b'"}'},
    ),
    "500": (6, {"status": 500, "body": ECHO}),
    "html": (6, {"body": b"<html>" + ECHO + b"</html>", "headers": {"Content-Type": "text/html"}}),
    "json": (6, {"body": b'{"token":"' + ECHO + b'"}'}),
    "redirect": (6, {"redirect": f"https://other.example/?token={quote(CANARY, safe='')}"}),
    "reset": (6, {"reset_after": 20}),
}


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_k03_no_output_and_no_file_tells_the_token(canary: Place, trouble: str) -> None:
    """With --debug, and an answer that quotes the token back: not in one form, not in one byte."""
    code, fault = TROUBLES[trouble]
    wanted = canary.sandbox.faults.add(Fault(path=FEED, **fault))
    done = canary.load("--debug")
    assert done.code == code, done.told
    assert "conversync.wire" in done.err, "--debug told nothing"
    assert wanted.delivered or trouble == "none"
    assert canary.sandbox.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    nothing_tells(canary, done.out, done.err, *(kept(canary) if code == 0 else ()))


def kept(place: Place) -> Iterator[str]:
    """Every value of every table, which its file may hold compressed; dlt's state unpacked."""
    for (table,) in place.query("select schema_name || '.' || table_name from duckdb_tables()"):
        yield from (str(row) for row in place.query(f"from {table}"))
    for (state,) in place.query("select state from besitos._dlt_pipeline_state"):
        unpacked = zlib.decompress(base64.b64decode(state)).decode()
        assert "conversync_besitos" in unpacked
        yield unpacked


@pytest.mark.more
def test_k03_no_traceback_of_an_unexpected_error_tells_the_token(canary: Place) -> None:
    """An error of nobody's in the middle of the load, its traceback shown by --debug."""
    for point in range(200, 210):  # a library may swallow one
        done = canary.load("--debug", at=point, number=0)
        nothing_tells(canary, done.out, done.err)
        if done.code == 1:
            break
        shutil.rmtree(canary.folder / ".conversync")
    assert done.code == 1
    assert "RuntimeError: an error that nobody expects" in done.err


@pytest.mark.more
def test_k03_no_file_of_a_run_tells_the_token(canary: Place) -> None:
    """What a run has on disk while it works, as kill -9 leaves it: spools, packages, state, write-ahead log."""
    left = []
    for point in (120, 300):
        assert canary.load("--debug", at=point).code == -signal.SIGKILL
        left += [path.name for path in (canary.folder / ".conversync").rglob("*") if path.is_file()]
        nothing_tells(canary)
        shutil.rmtree(canary.folder / ".conversync")
    assert any(name.endswith(".parquet") for name in left)
    assert "state.json" in left


def test_k03_no_argument_of_the_process_tells_the_token(canary: Place) -> None:
    """`ps` shows nothing: the token is taken from the environment or a file, and never an option."""
    run = canary.begin()
    arguments = Path(f"/proc/{run.pid}/cmdline").read_bytes()
    run.signal(signal.SIGKILL)
    run.wait()
    assert not [form for form in forms(CANARY) if form in arguments]
    assert "token" not in canary.run("load", "--help").told.lower().replace("besitos_token", "")


def test_k03_the_search_itself_finds_a_token(canary: Place) -> None:
    """A search that can find nothing proves nothing."""
    for text in (CANARY, quote(CANARY, safe=""), base64.b64encode(f"Bearer {CANARY}".encode()).decode()):
        with pytest.raises(AssertionError):
            nothing_tells(canary, f"before {text} after")


def test_h15_a_refused_token_stops_the_run_at_once(canary: Place) -> None:
    """401: exit 5 after two other days were asked for, a sentence with the setting's name, and no retry."""
    canary.env["BESITOS_TOKEN"] = "not-the-canary"
    canary.load().refused(
        5, "Besitos refused the token (401: Unauthenticated)", "besitos_token", "BESITOS_TOKEN"
    )
    assert [request.status for request in canary.sandbox.requests] == [401] * 3
