"""A sixth vendor, in a package of somebody else's: every command works with it, and nothing of ours knows its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest

from tests.process.support import CONVERSYNC, Done

ACME = Path(__file__).with_name("acme.py")
KEY = "k-4711-acme"
YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@dataclass
class Acme:
    """The vendor: what its feed has, and what was put there."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)

    def add(self, click: str, amount: str, **more: Any) -> None:
        """One more conversion of yesterday."""
        at = YESTERDAY - timedelta(minutes=len(self.rows))
        row = {
            "click": click,
            "amount": amount,
            "currency": "EUR",
            "status": "sale",
            "at": f"{at:%Y-%m-%d %H:%M:%S}",
        }
        self.rows[click] = {**row, **more}

    def page(self, asked: dict[str, str]) -> dict[str, Any]:
        """A page of the days that are asked for."""
        rows = [row for row in self.rows.values() if asked["since"] <= row["at"][:10] <= asked["until"]]
        size, first = int(asked["size"]), int(asked["size"]) * (int(asked["page"]) - 1)
        return {"rows": rows[first : first + size], "total": len(rows)}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Acme, str]]:
    """The vendor, and its address."""
    acme = Acme()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, document: Any, status: int = 200) -> None:
            if self.headers.get("X-Api-Key") != KEY:
                document, status = {"error": "unknown key"}, 401
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self.reply(acme.page(asked))

        def do_PUT(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            acme.taken.append(sent)
            acme.add(sent["click"], str(sent["amount"]))
            self.reply({"ok": True})

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield acme, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Project:
    """A folder of a user who installed the vendor's package: it lies on the path, with its entry point."""

    folder: Path
    url: str

    def run(self, *argv: str, key: str = KEY) -> Done:
        """The command, as a process of its own."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {
            "PYTHONPATH": str(self.folder / "site"),
            "ACME_KEY": key,
            "ACME_URL": self.url,
            "TERM": "dumb",
        }
        done = subprocess.run(
            [str(CONVERSYNC), *argv],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the warehouse says."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def project(served: tuple[Acme, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project."""
    folder = tmp_path_factory.mktemp("acme")
    info = folder / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(ACME, folder / "site" / "acme_conversions.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[conversync.vendors]\nacme = acme_conversions:VENDOR\n", encoding="utf-8"
    )
    return Project(folder, served[1])


def test_a_vendor_is_at_most_three_files_and_250_lines() -> None:
    """Its module, and the two files by which an installed package is known."""
    assert len(ACME.read_text(encoding="utf-8").splitlines()) <= 250


def test_every_command_works_with_a_vendor_that_is_none_of_ours(
    project: Project, served: tuple[Acme, str]
) -> None:
    """Load, load again, reversal, status, verify, check, send, reconcile, build, report, nightly."""
    acme = served[0]
    for number in range(250):
        acme.add(f"c{number}", f"{number}.10")
    assert project.run("check", "acme").code == 0
    project.run("load", "acme", key="wrong-key-0815").refused(5, "acme_key")
    loaded = project.run("load", "acme")
    assert loaded.code == 0, loaded.told
    totals = "select count(*), sum(amount), sum(net_amount) from acme.conversions"
    assert [tuple(map(str, row)) for row in project.ask(totals)] == [("250", "31150.000000", "31150.000000")]

    acme.rows["c7"]["status"] = "reversed"
    acme.rows["c8"]["amount"] = "no number"
    second = project.run("load", "acme")
    assert second.code == 3, second.told
    assert [tuple(map(str, row)) for row in project.ask(totals)] == [("250", "31150.000000", "31142.900000")]
    assert project.ask("select count(*) from acme.conversion_events where valid_to is not null") == [(1,)]
    assert project.ask("select stream, reason from acme.rejected_rows") == [
        ("conversions", "amount is not a number")
    ]
    acme.rows["c8"]["amount"] = "8.10"
    third = project.run("load", "acme")
    assert (third.code, "0 new" in third.out or " 0 " in third.out) == (0, True), third.told

    assert project.run("status", "acme").code == 0
    verified = project.run("verify", "acme")
    assert verified.code == 0, verified.told
    [[comment]] = project.ask(
        "select comment from duckdb_columns() where schema_name = 'acme' and table_name = 'conversion_events' "
        "and column_name = 'amount'"
    )
    assert comment == "What we are paid, in currency."

    query = "select 'k' || click_id as send_key, click_id, amount as payout from acme.conversions where click_id = 'c9'"
    again = "select 'new' as send_key, 'n1' as click_id, cast(5.25 as decimal(18, 6)) as payout"
    assert project.run("send", "acme.conversions", "--from", query, "--dry-run").code == 0
    assert acme.taken == []
    sent = project.run("send", "acme.conversions", "--from", f"{query} union all {again}")
    assert sent.code == 0, sent.told
    assert sorted(one["click"] for one in acme.taken) == ["c9", "n1"]
    assert project.run("load", "acme").code == 0
    reconciled = project.run("reconcile", "acme")
    assert reconciled.code == 0, reconciled.told
    assert "2 sent, 2 there as sent" in reconciled.out
    acme.rows["n1"]["amount"] = "4.25"
    assert project.run("load", "acme").code == 0
    project.run("reconcile", "acme").refused(3, "amount")

    for command in (("build",), ("report",), ("nightly",)):
        ended = project.run(*command)
        assert ended.code in (0, 3), (command, ended.told)
        assert "Traceback" not in ended.told
    assert "Acme" in (project.folder / "published" / "report.html").read_text(encoding="utf-8")
    assert KEY not in "".join(
        file.read_text(encoding="utf-8", errors="ignore") for file in project.folder.rglob("*.html")
    )
