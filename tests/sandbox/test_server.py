"""The server: quick, leaving nothing behind, speaking gzip and TLS where told, ruled from other processes."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from email.utils import parsedate_to_datetime

import pytest
import trustme

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.readings import parse
from tests.sandbox.asking import CONVERSIONS, ask, connect, control, send


def sockets() -> int:
    """How many sockets this process holds."""
    links = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a descriptor may be gone by the time it is read
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))  # noqa: PTH115
        except FileNotFoundError:
            continue
    return sum(link.startswith("socket:") for link in links)


def test_nothing_is_left_behind() -> None:
    """No thread and no socket of ours after the block, though a client held on and another was stalled."""
    threads, held = set(threading.enumerate()), sockets()
    with Sandbox() as sandbox:
        sandbox.besitos.rows = [{}]
        sandbox.faults.add(Fault(page=2, stall_after=3))
        idle, stalled = connect(sandbox), connect(sandbox)
        send(idle, sandbox, CONVERSIONS)
        stalled.request("GET", f"{CONVERSIONS}?page=2", headers={"Authorization": f"Bearer {sandbox.token}"})
        assert stalled.getresponse().read(3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    idle.close()
    stalled.close()
    assert (set(threading.enumerate()), sockets()) == (threads, held)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sandbox.port))


def test_pages_do_not_wait_for_acknowledgements() -> None:
    """Fifty pages on one connection take far less than the 40 ms each that a delayed ACK would cost."""
    with Sandbox() as sandbox:
        sandbox.besitos.rows = [{"note": "x" * 200} for _ in range(100)]
        connection = connect(sandbox)
        begun = time.monotonic()
        for _ in range(50):
            send(connection, sandbox, CONVERSIONS)
        taken = time.monotonic() - begun
        connection.close()
    assert taken < 1


def test_gzip_is_spoken_only_if_both_want_it() -> None:
    """The sandbox was told to, and the client accepts it."""
    accepting = {"Accept-Encoding": "gzip, deflate"}
    with Sandbox(gzip=True) as willing, Sandbox() as unwilling:
        assert "Content-Encoding" not in ask(willing, "/").headers
        assert "Content-Encoding" not in ask(unwilling, "/", **accepting).headers
        assert b"message" in gzip.decompress(ask(willing, "/", **accepting).body)


def test_tls() -> None:
    """Served with a certificate of the test's own authority; a client that does not know it goes away."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with Sandbox(tls=server) as sandbox:
        assert sandbox.url == f"https://127.0.0.1:{sandbox.port}"
        stranger = http.client.HTTPSConnection("127.0.0.1", sandbox.port, context=client)
        with pytest.raises(ssl.SSLCertVerificationError):
            send(stranger, sandbox, CONVERSIONS)
        authority.configure_trust(client)
        friend = http.client.HTTPSConnection("127.0.0.1", sandbox.port, context=client)
        assert send(friend, sandbox, CONVERSIONS).status == 200
        friend.close()


def test_another_process_may_move_the_clock() -> None:
    """To an instant or on by hours; nothing of it is recorded as a request."""
    with Sandbox(World(days=10)) as sandbox:
        assert control(sandbox, "clock", {"now": "2026-01-03T00:00:00+02:00"}) == {
            "now": "2026-01-02T22:00:00+00:00"
        }
        assert control(sandbox, "clock", {"advance_hours": 26}) == {"now": "2026-01-04T00:00:00+00:00"}
        assert sandbox.world.now == sandbox.world.day(3)
        assert control(sandbox, "clock") == {"now": "2026-01-04T00:00:00+00:00"}
        assert control(sandbox, "clock", {"then": 1}) == {"error": "'advance_hours'"}
        assert sandbox.requests == []


def test_another_process_may_ask_the_oracle() -> None:
    """Totals as decimal text, by offer, and on demand every statement."""
    with Sandbox(World(days=3)) as sandbox:
        oracle = sandbox.besitos.oracle
        told = control(sandbox, "oracle")["besitos"]
        assert told["totals"]["net_payout"] == str(oracle.totals().net_payout)
        assert set(told["by_offer"]) == set(oracle.totals_by_offer())
        assert "statements" not in told
        statements = control(sandbox, "oracle?statements=1")["besitos"]["statements"]
        assert [one["event_key"] for one in statements] == list(oracle.statements())


def test_another_process_may_script() -> None:
    """Faults, rows and variants in, faults' deliveries and requests out."""
    with Sandbox() as sandbox:
        control(sandbox, "rows", {"besitos": [{"payout": 1.1}, '{"payout":1.10}']})
        control(sandbox, "variants", {"besitos": ["trailing_comma=true"]})
        control(sandbox, "faults", {"times": 1, "status": 503, "body": "no"})
        assert [ask(sandbox, CONVERSIONS).status for _ in range(2)] == [503, 200]
        assert ask(sandbox, CONVERSIONS).text.startswith('{"data":[{"payout":1.1},{"payout":1.10},],')
        assert control(sandbox, "faults")["faults"][0]["delivered"] == 1
        assert control(sandbox, "faults", []) == {"faults": []}
        assert "mutate" in control(sandbox, "faults", {"mutate": 1})["error"]
        assert [one["status"] for one in control(sandbox, "requests")["requests"]] == [503, 200, 200]


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    """The command, stopped by SIGTERM."""
    command = [
        sys.executable,
        "-m",
        "conversync.sandbox",
        "--clock",
        "2026-03-01T12:00",
        "--days",
        "30",
        "--variant",
        "reverse=text",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(served: subprocess.Popen[str], number: int) -> None:
    """It prints the settings at once, serves what they name, and ends with exit code 0."""
    assert served.stdout is not None
    lines = [served.stdout.readline() for _ in range(5)]
    settings = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[:3])
    assert lines[3].startswith("# Besitos tells of ")
    assert " from 2026-01-3" in lines[3]
    assert " to 2026-03-01 " in lines[3]
    connection = http.client.HTTPConnection(settings["BESITOS_URL"].removeprefix("http://"))
    headers = {"Authorization": f"Bearer {settings['BESITOS_TOKEN']}"}
    connection.request("GET", f"{CONVERSIONS}?from_date=2026-01-01&is_reverse=true", headers=headers)
    assert {row["reverse"] for row in json.load(connection.getresponse())["data"]} == {"1"}
    connection.close()
    served.send_signal(number)
    assert served.wait(5) == 0


def test_the_command_refuses_a_wrong_variant() -> None:
    """Exit code 2 and what would be right."""
    command = [sys.executable, "-m", "conversync.sandbox", "--variant", "order=sideways"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "oldest, newest, shuffled, random" in ended.stderr


def test_the_help_lists_every_variant() -> None:
    """Of each vendor, by the name that `--variant` takes, with its values."""
    command = [sys.executable, "-m", "conversync.sandbox", "--help"]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    with Sandbox() as sandbox:
        for name in ("besitos", "keitaro", "infobip", "conductrics", "optibase", "server"):
            prefix = "" if name == "besitos" else f"{name}."
            known = [f"{prefix}{one.name}" for one in fields(getattr(sandbox, name).variants)]
            assert {one for one in known if not any(word.startswith(f"{one}=") for word in words)} == set()
    assert "ties=stable|page|request" in words


def test_the_standard_library_is_enough() -> None:
    """An independent witness: it starts where nothing is installed, and imports nothing of ours."""
    lines = (
        "import sys; from conversync import sandbox",
        "ours = [one for one in sys.modules if one.startswith(('conversync.', 'sources.'))",
        "        and not one.startswith('conversync.sandbox')]",
        "assert not ours, ours",
    )
    subprocess.run([sys.executable, "-S", "-c", "\n".join(lines)], check=True)


def test_s14_an_answer_tells_the_time_of_the_world_where_it_is_wished() -> None:
    """Its Date stands where the clock stands, and moves with it; without the variant there is none."""
    world = World(days=1)
    with Sandbox(world) as sandbox:
        assert "Date" not in ask(sandbox, CONVERSIONS).headers
        sandbox.server.variants = parse(["date=clock"], sandbox.server.variants)
        for hours in (0, 49):
            world.advance(hours=hours)
            told = parsedate_to_datetime(ask(sandbox, CONVERSIONS).headers["Date"])
            assert told == world.now.replace(microsecond=0)
        assert control(sandbox, "variants", {"server": ["date=none"]}) == {"server": {"date": "none"}}
        assert "Date" not in ask(sandbox, CONVERSIONS).headers
