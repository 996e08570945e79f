"""The vendor's tests: what every vendor keeps (`conversync.testing`), against a server that speaks as it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conversync.testing import VendorContract

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


class TestAcme(VendorContract):
    """Once the package is installed: `pip install -e .`"""

    vendor, table, credential = "acme", "conversion_events", "ACME_KEY"

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Twelve conversions."""
        with running(12) as served:
            yield served
