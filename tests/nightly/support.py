"""A project as `init` makes it, and its nights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from conversync.sandbox import Sandbox, World
from tests.health.support import forked
from tests.process.support import Done, ProcessPool

# isort: split
import duckdb

# What has been sent so far is read by the night's query from the offerwall's own table.
OUTBOX = """
select 'b:' || transaction_id as send_key, user_id as subid, 'sale' as status, payout, 'USD' as currency,
    'b' || transaction_id as tid
from besitos.conversions where not is_orphan order by transaction_id limit 3
"""
DAYS = 6


def small_world() -> World:
    """A week that ends today, by the machine's clock: a night reads up to its own day."""
    today = datetime.now(UTC).date()
    world = World(7, today - timedelta(days=DAYS), DAYS, players=30, conversions_a_day=6)
    world.now = world.day(DAYS)
    return world


@dataclass
class Project:
    """A folder with settings files; the environment holds nothing but what a test adds."""

    folder: Path
    sandbox: Sandbox
    nursery: ProcessPool
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def vendors(self) -> dict[str, str]:
        """The vendors' settings, as an environment."""
        first = str(
            self.sandbox.world.start - timedelta(days=1)
        )  # UTC's first hours are the day before in EST
        starts = {f"{name}_START_DATE": first for name in ("BESITOS", "INFOBIP", "KEITARO")}
        return {**self.sandbox.settings(), **starts, "HTTP_BUDGET": "0"}

    def init(self, *arguments: str) -> None:
        """The files, by `conversync init` from the environment."""
        ended = forked(self.nursery, self.folder, self.vendors, "init", "--yes", *arguments)
        assert ended.code == 0, ended.err

    def run(self, *arguments: str) -> Done:
        """A command in the project's folder, with its files' settings."""
        return forked(self.nursery, self.folder, self.settings, *arguments)

    def night(self, *arguments: str) -> tuple[Done, dict[str, dict[str, Any]]]:
        """A night as JSON: how it ended, and its steps by "step what"."""
        ended = self.run("nightly", "--no-build", "--no-report", "--log-format", "json", *arguments)
        assert "Traceback" not in ended.err
        document = json.loads(ended.out)
        assert document["exit_code"] == ended.code
        return ended, {f"{one['step']} {one['what']}".strip(): one for one in document["steps"]}

    def query(self, sql: str, file: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse, or to its copy."""
        with duckdb.connect(str(self.folder / file), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def posted(self) -> list[str]:
        """The paths under which the tracker was told of conversions."""
        return [one.path for one in self.sandbox.requests if "/postback" in one.path]
