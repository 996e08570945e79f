"""A sixth vendor, in a package of somebody else's: every command works with it, and nothing of ours knows its name."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from conversync.testing import Project, VendorContract

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


@dataclass
class Served:
    """A running server of it (see `conversync.testing.Served`)."""

    acme: Acme
    settings: dict[str, str]
    requests: int = 0

    @property
    def events(self) -> int:
        """One a click."""
        return len(self.acme.rows)

    def spoil(self) -> None:
        """One amount is no number."""
        self.acme.rows["c3"]["amount"] = "no number"

    def mend(self) -> None:
        """It is one again."""
        self.acme.rows["c3"]["amount"] = "3.10"


@contextmanager
def running(rows: int) -> Iterator[Served]:
    """The vendor, with so many rows."""
    acme = Acme()
    for number in range(rows):
        acme.add(f"c{number}", f"{number}.10")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, document: Any, status: int = 200) -> None:
            served.requests += 1
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
        served = Served(acme, {"ACME_KEY": KEY, "ACME_URL": f"http://127.0.0.1:{server.server_port}"})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path in which the vendor's package lies, with its entry point."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    shutil.copy(ACME, folder / "acme_conversions.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[conversync.vendors]\nacme = acme_conversions:VENDOR\n", encoding="utf-8"
    )
    return folder


class TestAcme(VendorContract):
    """What every vendor keeps."""

    vendor, table, credential = "acme", "conversion_events", "ACME_KEY"

    @pytest.fixture(autouse=True)
    def on_the_path(self, site: Path) -> None:
        """The vendor's package is found."""
        self.path = (str(site),)

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Twelve conversions, in pages of a hundred."""
        with running(12) as served:
            yield served


def test_a_vendor_is_at_most_three_files_and_250_lines() -> None:
    """Its module, and the two files by which an installed package is known."""
    assert len(ACME.read_text(encoding="utf-8").splitlines()) <= 250


def test_every_command_works_with_a_vendor_that_is_none_of_ours(tmp_path: Path, site: Path) -> None:
    """Load, load again, reversal, status, check, send, reconcile, build, report, nightly."""
    with running(250) as served:
        acme, project = served.acme, Project(tmp_path, served.settings, (str(site),))

        def run(code: int, *argv: str) -> str:
            ended = project.run(*argv)
            assert ended.returncode == code, ended.stdout + ended.stderr
            assert "Traceback" not in ended.stderr
            return ended.stdout + ended.stderr

        run(0, "check", "acme")
        run(0, "load", "acme")
        totals = "select count(*), sum(amount), sum(net_amount) from acme.conversions"
        assert [tuple(map(str, row)) for row in project.ask(totals)] == [
            ("250", "31150.000000", "31150.000000")
        ]
        acme.rows["c7"]["status"] = "reversed"
        run(0, "load", "acme")
        assert [tuple(map(str, row)) for row in project.ask(totals)] == [
            ("250", "31150.000000", "31142.900000")
        ]
        assert project.ask("select count(*) from acme.conversion_events where valid_to is not null") == [(1,)]
        assert project.ask(COMMENT) == [("What we are paid, in currency.",)]

        run(0, "send", "acme.conversions", "--from", OUTBOX, "--dry-run")
        assert acme.taken == []
        run(0, "send", "acme.conversions", "--from", OUTBOX)
        assert sorted(one["click"] for one in acme.taken) == ["c9", "n1"]
        run(0, "load", "acme")
        assert "2 sent, 2 there as sent" in run(0, "reconcile", "acme")
        acme.rows["n1"]["amount"] = "4.25"
        run(0, "load", "acme")
        assert "amount" in run(3, "reconcile", "acme")

        for command in ("build", "report", "nightly"):
            run(0, command)
        page = (tmp_path / "published" / "report.html").read_text(encoding="utf-8")
        assert "Acme" in page
        assert KEY not in page


COMMENT = """
    select comment from duckdb_columns()
    where schema_name = 'acme' and table_name = 'conversion_events' and column_name = 'amount'
"""
OUTBOX = """
    select 'k' || click_id as send_key, click_id, amount as payout from acme.conversions where click_id = 'c9'
    union all select 'new', 'n1', cast(5.25 as decimal(18, 6))
"""
