"""A small story of four vendors, loaded night by night, and the marts as rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.support import Quiet  # settles dlt before it is imported

# isort: split
import duckdb

from conversync.load import load
from conversync.sandbox import Sandbox, World
from conversync.vendors import LoadRequest, vendors
from conversync.warehouse.warehouse import Warehouse
from tests.houses import environment

DATED = ("besitos", "infobip", "keitaro")
SCHEMAS = ("staging", "intermediate", "marts")


def small_world() -> World:
    """Forty days, a few conversions a day: reversals come weeks late in it."""
    return World(start=date(2026, 1, 1), days=40, players=60, conversions_a_day=8)


@dataclass
class Story:
    """A sandbox, and a warehouse that is loaded from it as the command does, in this process."""

    sandbox: Sandbox
    path: Path
    destination: str = "duckdb"
    settings: dict[str, str] = field(default_factory=dict)

    def night(self, day: int, names: tuple[str, ...] = tuple(vendors())) -> None:
        """What the vendors tell at noon of the story's day, read from its first day on: nothing is restated unheard."""
        world = self.sandbox.world
        stand_at(self.sandbox, day)
        asked = LoadRequest(end=str(world.now.date()), window_days=400)
        known = vendors()
        reach = {f"{name.upper()}_LOOKBACK_DAYS": "60" for name in DATED}
        reach |= {f"{name.upper()}_START_DATE": str(world.start - timedelta(days=1)) for name in DATED}
        with environment({**self.sandbox.settings(), **reach, **self.settings}):
            reports = load(
                Warehouse(self.path, self.destination), [known[name] for name in names], asked, Quiet()
            )
        for report in reports:
            if report.error is not None:
                raise report.error


def stand_at(sandbox: Sandbox, day: int) -> None:
    """It is noon of the story's day."""
    sandbox.world.now = sandbox.world.day(day) + timedelta(hours=12)


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a question to a DuckDB file, with times in UTC."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def marts(path: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every mart as its rows, in whatever order they are kept."""
    names = ask(path, "select table_name from duckdb_tables() where schema_name = 'marts'")
    return {name: Counter(ask(path, f"select * from marts.{name}")) for [name] in names}
