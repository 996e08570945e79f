"""What a reader of the tables sees: loads from the sandbox, the tables as rows, and the oracle beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pendulum
import pytest
from dlt.common.configuration.specs import configspec
from dlt.common.typing import TSecretStrValue  # noqa: F401 - dlt looks it up here, for the inherited field
from pendulum import Date

from conversync.extract.columns import zone
from conversync.load import SourceReport, load, planned
from conversync.load_counts import StepReport
from conversync.sandbox import Request, Sandbox, Statement, Totals
from conversync.sandbox.besitos import totals, totals_by_offer
from conversync.vendors import LoadRequest, Step, Vendor, vendors
from conversync.warehouse.warehouse import Warehouse
from sources.besitos import BesitosSettings, besitos

CONVERSYNC = Path(sys.executable).with_name("conversync")
FEED = "/data/partner/conversions"
ASKED_ALWAYS = {"from_date", "to_date", "per_page", "page"}
# What a second run may change: when it ran, and how often it met what it had set aside.
OF_THE_RUN = {"_dlt_load_id", "_dlt_id", "valid_from", "valid_to", "last_seen", "times_seen"}
OF_THE_RUN |= {"first_seen_at", "reversal_seen_at"}


class Quiet:
    """A progress that nobody watches."""

    def step(self, dataset: str, label: str) -> None:
        """Nothing is said."""

    def page(self, dataset: str, received: int, announced: int) -> None:
        """Nothing is said."""

    def done(self, dataset: str, label: str, step: StepReport) -> None:
        """Nothing is said."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


def command(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """The installed command in a process of its own, with nothing in its environment but what is given."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    ended = subprocess.run(
        [CONVERSYNC, *arguments],
        cwd=cwd,
        env={**clean, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@dataclass
class Workspace:
    """One sandbox, and one warehouse that is loaded from it as the command does, in this process."""

    sandbox: Sandbox
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    vendor: Vendor = field(default_factory=lambda: vendors()["besitos"])

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for the command in its own process."""
        own = {"BESITOS_TOKEN": self.sandbox.token, "BESITOS_URL": self.sandbox.url}
        return {**own, "CONVERSYNC_WAREHOUSE": str(self.path), **self.settings}

    def run(self, start: object = None, end: object = None, *, window_days: int = 400) -> SourceReport:
        """One run, as it ended; what it asked is checked."""
        asked = LoadRequest(start and str(start), end and str(end), window_days)  # type: ignore[arg-type] # both are texts
        before = len(self.sandbox.requests)
        with self._set():
            [report] = load(Warehouse(self.path), [self.vendor], asked, Quiet())
        asked_rightly(self.sandbox, self.sandbox.requests[before:])
        return report

    def load(self, start: object = None, end: object = None, *, window_days: int = 400) -> SourceReport:
        """One run that loads everything it should, with nothing set aside anew."""
        report = self.run(start, end, window_days=window_days)
        if report.error is not None:
            raise report.error
        assert report.exit_code == 0
        return report

    def planned(self) -> list[str]:
        """What the next run without dates would read, as `--dry-run` tells it."""
        with self._set():
            steps = planned(
                Warehouse(self.path), self.vendor, LoadRequest(window_days=400), self.folder / "planned"
            )
        return [step.label for step in steps]

    @contextmanager
    def _set(self) -> Iterator[None]:
        saved = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(saved)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def held(self) -> dict[str, list[Statement]]:
        """`held` of this warehouse."""
        return held(self.path)


def sometimes(*values: Any, quick: int, ids: Callable[[Any], str] | None = None) -> list[Any]:
    """Cases for parametrize: the first few in every run, the others in the long suite."""
    cases = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*case, marks=() if place < quick else pytest.mark.long, id=ids(case[0]) if ids else None)
        for place, case in enumerate(cases)
    ]


def parts(count: int, *, more: int) -> list[Any]:
    """Numbers of the parts of a long test; CI runs the first few of them, too."""
    return [pytest.param(part, marks=pytest.mark.more if part < more else ()) for part in range(count)]


def at_once() -> Vendor:
    """Besitos with both streams in one commit, as the source does it in anybody's own script: half the time."""

    def steps(_state: Mapping[str, Any], _settings: BesitosSettings, asked: LoadRequest) -> Iterator[Step]:
        yield Step("both streams", lambda on_page: besitos(asked.start, asked.end, on_page=on_page))

    return replace(vendors()["besitos"], steps=steps)


def vendor_at(sandbox: Sandbox) -> Vendor:
    """Besitos to a machine whose clock is the sandbox world's: for nights that are simulated."""

    @configspec
    class Clocked(BesitosSettings):
        # dlt looks there for the names in the annotations that are inherited.
        __module__ = BesitosSettings.__module__

        def today(self) -> Date:
            return (
                pendulum.instance(sandbox.world.now)
                .in_timezone(zone(self.besitos_zone, "besitos_zone"))
                .date()
            )

    return replace(vendors()["besitos"], settings=Clocked)


def asked_rightly(sandbox: Sandbox, requests: list[Request]) -> None:
    """Every request is ours, whole, to the one address, with the one credential; no link was followed."""
    for request in requests:
        assert (request.method, request.path) == ("GET", FEED)
        assert set(request.query) - {"is_reverse", "user_id", "offer_id", "type"} == ASKED_ALWAYS
        assert date.fromisoformat(request.query["from_date"]) <= date.fromisoformat(request.query["to_date"])
        assert request.query.get("is_reverse", "true") in {"true", "1"}
        assert request.headers["authorization"] == f"Bearer {sandbox.token}"
        assert request.headers["host"] == f"127.0.0.1:{sandbox.port}"
        assert sandbox.token not in request.target


def pages(requests: list[Request], stream: str = "conversions") -> list[int]:
    """The pages of one stream in the order they were asked for."""
    kind = "true" if stream == "reversals" else None
    return [int(one.query["page"]) for one in requests if one.query.get("is_reverse") == kind]


def windows(requests: list[Request], stream: str = "conversions") -> list[tuple[str, str]]:
    """The windows of one stream in the order they were asked for."""
    kind = "true" if stream == "reversals" else None
    ours = [one for one in requests if one.query.get("is_reverse") == kind]
    return list(dict.fromkeys((one.query["from_date"], one.query["to_date"]) for one in ours))


def held(warehouse: Path, dataset: str = "besitos") -> dict[str, list[Statement]]:
    """By event_key, every statement in the table, oldest first: the last is open, the others closed by their next."""
    columns = [one.name for one in fields(Statement)]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(
            f"select {', '.join(columns)}, valid_from, valid_to from {dataset}.conversion_events order by valid_from"
        ).fetchall()
    found: dict[str, list[Statement]] = {}
    closed: dict[str, datetime | None] = {}
    for *values, valid_from, valid_to in rows:
        statement = Statement(*values)
        history = found.setdefault(statement.event_key, [])
        assert not history or closed[statement.event_key] == valid_from, statement.event_key
        history.append(statement)
        closed[statement.event_key] = valid_to
    assert {key for key, until in closed.items() if until is not None} == set()
    return found


def held_is_the_oracles(house: Workspace) -> None:
    """Every statement of the reads so far is held, in order; and the view adds up to the same, by offer too."""
    oracle, reads = house.sandbox.besitos.oracle, house.sandbox.besitos.reads
    expected = oracle.held(reads)
    assert house.held() == expected
    standing = list(oracle.counted(reads).values())
    assert view_totals(house.path) == totals_by_offer(standing)
    assert sum(view_totals(house.path).values(), Totals()) == totals(standing)


def view_totals(warehouse: Path, dataset: str = "besitos") -> dict[str | None, Totals]:
    """The sums of the view `conversions` by offer, named as the oracle names them."""
    sums = ", ".join(
        f"coalesce(sum({name}), 0)"
        for name in ("payout", "reversed_payout", "net_payout", "reward", "reversed_reward", "net_reward")
    )
    counts = "count(*) filter (not is_orphan), count(*) filter (is_reversed), count(*) filter (is_orphan)"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            f"select offer_id, {counts}, {sums} from {dataset}.conversions group by offer_id"
        )
        return {row[0]: Totals(*row[1:4], *map(Decimal, row[4:])) for row in rows.fetchall()}


def tables(warehouse: Path, dataset: str = "besitos", *besides: str) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every table and view as its rows, apart from windows and what is told of them, dlt's own, and what is a run's.

    The columns `besides` are left out, too.
    """
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = ? "
            "and table_name not in ('windows', 'days', 'reversals', 'lateness') "
            "and table_name not in ('revenue_changes', 'withdrawn_history') "
            "and not starts_with(table_name, '_')",
            [dataset],
        ).fetchall()
        found = {}
        for [name] in names:
            rows = connection.execute(
                f"select * {_without(connection, dataset, name, *besides)} from {dataset}.{name}"
            )
            found[name] = Counter(rows.fetchall())
    return found


def _without(connection: duckdb.DuckDBPyConnection, dataset: str, table: str, *besides: str) -> str:
    """The columns to leave out, as far as the table has any of them."""
    columns = connection.execute(
        "select column_name from information_schema.columns where table_schema = ? and table_name = ?",
        [dataset, table],
    ).fetchall()
    present = ", ".join(name for [name] in columns if name in {*OF_THE_RUN, *besides})
    return f"exclude ({present})" if present else ""
