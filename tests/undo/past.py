"""A warehouse whose loads can be taken back, and everything that it holds, row by row."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from conversync.dlt_internals import decompress_state
from conversync.load import SourceReport, load
from conversync.undo import take_back
from conversync.undo.take_back import Undoing
from conversync.vendors import LoadRequest, vendors
from conversync.warehouse.warehouse import Warehouse
from tests.books.nights import FROM, TO
from tests.dbt.cluster import Cluster
from tests.houses import VendorWorkspace, environment
from tests.process.support import ProcessPool, Wish
from tests.support import OF_THE_RUN, Quiet

# What another reading of the same may say otherwise.
TIMES = {*OF_THE_RUN, "read_at", "first_seen", "resolved_at", "withdrawn_at", "last_seen_at", "inserted_at"}
# (A statement of withdrawn_history is told from another by when it was found.)
# What is told of the loads themselves.
OWN = {"_dlt_loads", "_dlt_pipeline_state", "_dlt_version", "_undo_loads", "_undone_loads"}

Tables = dict[str, Counter[str]]


@dataclass
class Past(VendorWorkspace):
    """Of one vendor, in a file or on a server."""

    database: Cluster | None = None

    @property
    def place(self) -> Warehouse:
        """The warehouse."""
        return Warehouse(self.path, "postgres" if self.database else "duckdb")

    @contextmanager
    def settled(self) -> Iterator[None]:
        """The settings in this process's environment."""
        where = {"DESTINATION__POSTGRES__CREDENTIALS": self.database.url} if self.database else {}
        with self.set(), environment(where):
            yield

    def night(self, rows: list[dict[str, Any]] | None = None) -> SourceReport:
        """One load of what is served, whatever is set aside."""
        if rows is not None:
            self.sandbox.besitos.rows = rows
        days = LoadRequest(FROM, TO, 400) if rows is not None else LoadRequest(window_days=400)
        with self.settled():
            [report] = load(self.place, [self.vendor or vendors()[self.name]], days, Quiet())
        if report.error is not None:
            raise report.error
        return report

    def killed(self, nursery: ProcessPool, rows: list[dict[str, Any]], at: int) -> None:
        """A load of these that is killed at that point, or as it ends."""
        self.sandbox.besitos.rows = rows
        asked = ["load", self.name, "--from", FROM, "--to", TO, "--window", "400d"]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment}
        assert nursery.start(Wish(asked, env, str(self.folder), at=at)).wait().code < 0

    def undo(self, load_id: str | None = None, **options: Any) -> Undoing:
        """Takes a load back."""
        with self.settled():
            return take_back.undo(self.place, [vendors()[self.name]], load_id, **options)

    def would_undo(self, load_id: str | None = None) -> Undoing:
        """What that would do."""
        with self.settled():
            return take_back.would_undo(self.place, [vendors()[self.name]], load_id)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a question, in the file or on the server."""
        return self.database.ask(query) if self.database else self.query(query)

    def newest(self) -> str:
        """The newest commit; empty without any."""
        [[found]] = self.ask(f"select max(load_id) from {self.name}._dlt_loads where status = 0")
        return found or ""

    def tables(self, *, times: bool = True) -> Tables:
        """Every table with its rows, and all that dlt goes on from; without `times`, what a reading has in common."""
        found = {}
        columns = self.ask(
            "select t.table_name, c.column_name from information_schema.tables as t "
            "join information_schema.columns as c on c.table_schema = t.table_schema and c.table_name = t.table_name "
            f"where t.table_schema = '{self.name}' and t.table_type = 'BASE TABLE' order by 1, 2"
        )
        for name in sorted({table for table, _ in columns}):
            if name.startswith("_undo") or name == "_dlt_version" or (not times and name in OWN):
                continue
            left_out = () if times else TIMES | ({"statement_hash"} if name == "withdrawn_history" else set())
            of = [one for table, one in columns if table == name and one not in left_out]
            rows = self.ask(f"select {', '.join(of)} from {self.name}.{name}")
            if rows:
                found[name] = Counter(map(repr, rows))
        return found

    def state(self) -> str:
        """What the next load goes on from, without times."""
        [*_, [text]] = self.ask(f"select state from {self.name}._dlt_pipeline_state order by version")
        told = json.dumps(decompress_state(text)["sources"], sort_keys=True)
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "then", told)
