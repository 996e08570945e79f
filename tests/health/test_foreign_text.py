"""L05: what others wrote is seen on a terminal, in logs and alerts, and never obeyed: names, words and values."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from conversync.report.parts import clean
from conversync.sandbox import Fault
from tests.besitos.rows import row
from tests.foreign import CANARY, STORED, harmless, harmless_in_chat
from tests.health.support import Workspace, change, program, run, webhook
from tests.process.support import CONVERSYNC, ROOT

DAYS = ("--from", "2024-12-01", "--to", "2024-12-08")


@pytest.fixture
def told(house: Workspace) -> Workspace:
    """A vendor with a field of a hostile name, and a row that cannot be read for another."""
    house.sandbox.besitos.rows = [row(1), row(2, **{STORED: 1}), row(3, **{STORED: 1, STORED.upper(): 2})]
    return house


@pytest.mark.more
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_l05_a_fields_name_in_load_and_in_the_log(told: Workspace, log_format: str) -> None:
    """It is named, and nothing of it works: on standard output and error, with --debug too."""
    ended = run(told, "load", "besitos", *DAYS, "--log-format", log_format, "--debug")
    assert ended.code == 3, ended.told
    assert "canary" in ended.out
    harmless(ended.told)


@pytest.mark.more
def test_l05_what_the_database_holds_in_status_verify_and_check(told: Workspace) -> None:
    """Names, reasons and currencies that stand in the tables already, in text and in JSON."""
    run(told, "load", "besitos", *DAYS)
    with_reason = STORED.replace("'", "''")
    change(told, f"update besitos.rejected_rows set reason = '{with_reason}'")
    change(told, f"update besitos.conversion_events set note = '{with_reason}', user_id = '{with_reason}'")
    for words in (
        ("status",),
        ("status", "--tables"),
        ("status", "--json"),
        ("verify", "besitos", *DAYS),
        ("check",),
    ):
        ended = run(told, *words)
        assert "Traceback" not in ended.told
        harmless(ended.told)
        if words == ("status",):
            assert "[bold]loud[/bold]" in ended.out


@pytest.mark.more
def test_l05_an_alert_calls_nobody(told: Workspace) -> None:
    """Neither to a program nor to an address, nor where it is printed: a name of a field is a name of a field."""
    run(told, "load", "besitos", *DAYS)
    command, place = program(told.folder)
    with webhook() as hook:
        settings = {"CONVERSYNC_ALERT_COMMAND": command, "CONVERSYNC_ALERT_WEBHOOK": hook.url}
        ended = run(told, "alert", **settings)
        assert ended.code == 0, ended.told
        [(_, posted)] = hook.posted
    harmless(ended.told)
    harmless(place.read_text())
    given = json.loads(place.read_text())
    assert given == posted == json.loads(ended.out)
    assert "canary" in given["text"]

    def texts(value: Any) -> None:
        if isinstance(value, str):
            harmless_in_chat(value)
        elif isinstance(value, dict):
            texts([*value, *value.values()])
        elif isinstance(value, list):
            for one in value:
                texts(one)

    texts(given)


@pytest.mark.more
@pytest.mark.parametrize("body", [json.dumps({"message": CANARY, "errors": {CANARY: [CANARY]}}), CANARY])
def test_l05_a_vendors_words(house: Workspace, body: str) -> None:
    """A refusal is quoted in a line, by load, check and the night."""
    fault = Fault(status=422, body=body.encode(), times=10**6)
    house.sandbox.faults.add(fault)
    for words in (("load", "besitos", *DAYS), ("check", "besitos"), ("load", "besitos", *DAYS, "--debug")):
        ended = run(house, *words)
        assert ended.code == 6, ended.told
        assert "canary" in ended.told
        harmless(ended.told)
    assert fault.delivered


@pytest.mark.more
def test_l05_what_is_long_is_cut(house: Workspace) -> None:
    """A name of pages, a thousand names, a refusal of pages: what is shown of them is read in one look."""
    many = {f"{'n' * 3_000}{number}": 1 for number in range(900)}
    house.sandbox.besitos.rows = [row(1), row(2, **many), row(3, reward="m" * 50_000)]
    ended = run(house, "load", "besitos", *DAYS)
    assert ended.code == 3, ended.told
    assert "nnnn" in ended.told
    told = [ended.told, run(house, "status").told, run(house, "alert", "--dry-run").told]
    words = json.dumps({"message": "canary " * 50_000, "errors": {"e" * 50_000: ["w" * 50_000] * 50}})
    house.sandbox.faults.add(Fault(status=422, body=words.encode(), times=10**6))
    told.append(run(house, "load", "besitos", *DAYS).told)
    assert "canary" in told[-1]
    assert [len(text) for text in told if len(text) > 20_000] == []


@pytest.mark.more
def test_l05_on_a_terminal(told: Workspace) -> None:
    """There, colours of ours are shown, and no sequence of theirs: the screen stays, and the clipboard."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(told.folder), "TERM": "xterm", **told.environment}
    process = subprocess.Popen(
        [CONVERSYNC, "load", "besitos", *DAYS],
        cwd=told.folder,
        env=env,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 3
    assert b"canary" in shown
    for sequence in (b"\x1b[2J", b"\x1b]", b"\x9b31m", "\u202e".encode(), "\u2066".encode(), b"\r\nforged"):
        assert sequence not in shown.replace(b"\x1b[0m", b"")


def test_l05_a_log_line_is_one_line() -> None:
    """Whoever logs, and whatever an exception quotes: a record begins one line, a traceback is set in."""
    script = (
        "import logging; from conversync.cli import logs; from tests.foreign import CANARY\n"
        "logs.begin(debug=True)\n"
        "try: int(CANARY.replace('canary', '') or '1'), [][CANARY]\n"
        "except Exception: logging.getLogger('conversync').exception('%s', CANARY)\n"
        "class Odd(Exception): pass\n"
        "raise Odd(CANARY)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    told = ended.stderr.decode()
    assert told.count("canary") >= 2
    assert not {c for c in told if not c.isprintable() and c != "\n"}
    assert told.partition("Traceback")[0].count("\n") == 1
    harmless(told)


def test_l05_a_page_shows_no_character_that_turns_or_hides() -> None:
    """The report replaces them: what is read is what is there."""
    harmless(clean(CANARY).replace("\r", "").replace("\n", " "))
