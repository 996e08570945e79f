"""A warehouse with an outbox, a receiver, and sends as the command does them, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import Finished, command  # settles dlt before it is imported

# isort: split
import duckdb

from conversync.sandbox import Request
from conversync.sandbox.server import Server
from conversync.send.journal import Journal, journal_path
from conversync.send.options import options
from conversync.send.plan import Plan
from conversync.send.run import SendReport, dry_run, send
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse
from tests.houses import environment
from tests.send.receiver import ENDPOINT, POSTBACK_KEY, PUBLIC_KEY, Receiver

OPTIBASE, KEITARO = "optibase.conversions", "keitaro.conversions"
OUTBOX = {
    OPTIBASE: "send_key varchar, conversion_id varchar, tested_user_external_id varchar",
    KEITARO: "send_key varchar, subid varchar, status varchar, payout decimal(18, 6), currency varchar, tid varchar",
}


@dataclass
class Workspace:
    """One warehouse that sends to one receiver. `name` tells the target's outbox, `main.<vendor>`."""

    folder: Path
    server: Server
    receiver: Receiver
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        own = {
            "OPTIBASE_URL": self.server.url + ENDPOINT,
            "OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY,
            "KEITARO_URL": self.server.url,
            "KEITARO_POSTBACK_KEY": POSTBACK_KEY,
            "CONVERSYNC_WAREHOUSE": str(self.path),
        }
        return {**own, **self.settings}

    def set(self) -> AbstractContextManager[None]:
        """The settings in this process's environment, for as long as the block lasts."""
        return environment(self.environment)

    def change(self, sql: str, rows: Sequence[Sequence[Any]] | None = None) -> None:
        """Somebody's own session in the warehouse."""
        with duckdb.connect(str(self.path)) as connection:
            if rows is None:
                connection.execute(sql)
            else:
                connection.executemany(sql, rows)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def outbox(self, target: str, rows: Iterable[Sequence[Any]]) -> None:
        """Makes the target's outbox anew, with these rows in this order."""
        name = target.partition(".")[0]
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"create or replace table main.{name} ({OUTBOX[target]})")
            values = [list(row) for row in rows]
            marks = ", ".join("?" * len(OUTBOX[target].split(", ")[: len(values[0])]))
            connection.begin()
            connection.executemany(f"insert into main.{name} values ({marks})", values)
            connection.commit()

    def send(self, target: str, *, wait: float = 0, source: str | None = None, **asked: Any) -> SendReport:
        """One send of the target's outbox, as it ended."""
        with self.set():
            asked = {"outbox": source or f"main.{target.partition('.')[0]}", **asked}
            return send(
                Warehouse(self.path),
                targets()[target],
                options(target, **asked),
                lambda _: None,
                lambda _: None,
                wait,
            )

    def plan(self, target: str, *, source: str | None = None, **asked: Any) -> Plan:
        """A dry run."""
        with self.set():
            asked = {"outbox": source or f"main.{target.partition('.')[0]}", **asked}
            return dry_run(Warehouse(self.path), targets()[target], options(target, **asked))

    def command(self, *arguments: str) -> Finished:
        """The installed command in a process of its own."""
        return command(*arguments, cwd=self.folder, environment=self.environment)

    def ledger(self, target: str) -> dict[str, tuple[str, int | None, int]]:
        """By send_key: status, response code and attempts, as the ledger has them."""
        table = target.replace(".", "_")
        rows = self.query(f"select send_key, status, response_code, attempts from sent.{table}")
        return {key: (status, code, attempts) for key, status, code, attempts in rows}

    def statuses(self, target: str) -> dict[str, str]:
        """By send_key, the status in the ledger."""
        return {key: status for key, (status, _, _) in self.ledger(target).items()}

    def journal(self, target: str) -> Journal:
        """The journal, to look into."""
        return Journal(journal_path(Warehouse(self.path)), target, read_only=True)

    def asked(self) -> list[Request]:
        """Every request that came, also those that a fault swallowed."""
        return self.server.requests


def sales(count: int, *, payout: str = "1.50") -> list[tuple[Any, ...]]:
    """Rows for Keitaro: k0, k1, ... each of a click and a transaction of its own."""
    return [(f"k{n}", f"click-{n}", "sale", payout, "USD", f"t{n}") for n in range(count)]


def users(count: int) -> list[tuple[str, str, str]]:
    """Rows for Optibase: k0, k1, ... each of a user of its own."""
    return [(f"k{n}", "purchase", f"user-{n}") for n in range(count)]
