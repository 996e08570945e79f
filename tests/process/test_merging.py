"""What a load closes and opens is what dlt's own merge would, though only what came is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tests.support  # noqa: F401 - settles dlt before it is imported

# isort: split
import dlt

from conversync.extract.columns import UTC_MICROSECONDS
from conversync.extract.declared import STATEMENTS
from conversync.extract.declared import Table as Declared
from conversync.load import pipeline_for
from conversync.warehouse import commit_check
from conversync.warehouse.merging import Names, run_each
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment

SCHEMA = pa.schema(
    [
        pa.field("event_key", pa.string(), nullable=False),
        pa.field("statement_hash", pa.string(), nullable=False),
        pa.field("valid_from", UTC_MICROSECONDS),
        pa.field("valid_to", UTC_MICROSECONDS),
    ]
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]

# An event in one of three forms; each is a row that may stand several times, open or closed.
EVENTS = st.tuples(st.sampled_from("abcde"), st.integers(1, 3)).map(lambda one: (one[0], f"{one[0]}{one[1]}"))
STANDING = st.lists(st.tuples(EVENTS, st.booleans()), max_size=12)
COMING = st.lists(EVENTS, max_size=8)

_ENDED = "timestamptz '2025-06-01 00:00:00+00'"
_STANDS = """
    insert into {table} (event_key, statement_hash, valid_from, valid_to, _dlt_load_id)
    values ('{key}', '{hash}', timestamptz '2025-01-01 00:00:00+00', {to}, 'old')
"""
_COMES = "insert into {staged} (event_key, statement_hash, _dlt_load_id) values ('{key}', '{hash}', 'new')"
_ALL = """
    select event_key, statement_hash, cast(valid_from as varchar), cast(valid_to as varchar), _dlt_load_id
    from {table}
"""


DECLARED = Declared("events", "", (), STATEMENTS, ("event_key",))


class Table:
    """A table of statements, with its staging table, as a load of ours made them."""

    def __init__(self, pipeline: Any) -> None:
        rows = pa.Table.from_pylist([{"event_key": "a", "statement_hash": "a1"}], schema=SCHEMA)
        pipeline.run(dlt.resource([rows], name="events", **DECLARED.hints))
        self.pipeline = pipeline
        self.asked: list[str] = []
        """The first words of the statements that the last merge took."""

    @contextmanager
    def client(self) -> Iterator[Any]:
        with self.pipeline.destination_client() as client:
            yield client

    def fill(self, ask: Any, standing: list[tuple[Row, bool]], coming: list[Row]) -> tuple[str, str]:
        """What stands, open or closed, and what came; the names of both tables."""
        with self.client() as client:
            table, staged = client.sql_client.get_qualified_table_names("events")
        ask(f"delete from {table}; delete from {staged}")
        for (key, digest), is_open in standing:
            ask(_STANDS.format(table=table, key=key, hash=digest, to="null" if is_open else _ENDED))
        for key, digest in coming:
            ask(_COMES.format(staged=staged, key=key, hash=digest))
        return table, staged

    def merged(
        self, standing: list[tuple[Row, bool]], coming: list[Row], *, ours: bool
    ) -> Counter[tuple[Any, ...]]:
        """The rows of the table after what came was merged into what stood."""
        from dlt.destinations.sql_jobs import SqlMergeFollowupJob

        generate = SqlMergeFollowupJob.gen_scd2_sql.__func__  # type: ignore[attr-defined]
        with self.client() as client:
            chain = [{**client.prepare_load_table("events"), "x-boundary-timestamp": NOW}]
            generate = generate if ours else generate.__wrapped__
            statements = generate(SqlMergeFollowupJob, chain, client.sql_client)
            marks = ("NOT EXISTS", "TEMPORARY")  # dlt has neither for such a table
            assert any(mark in one for one in statements for mark in marks) == ours
            ask = client.sql_client.execute_sql
            with client.sql_client.begin_transaction():
                table, _ = self.fill(ask, standing, coming)
                lines = [statement.strip().rstrip(";") for statement in statements]
                self.asked = list[str]()

                def noted(line: str) -> Any:
                    self.asked.append(line.split()[0])
                    return ask(line)

                run_each(lines, noted)
                return Counter(ask(_ALL.format(table=table)))


@pytest.fixture(scope="module")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """In a file of its own."""
    folder = tmp_path_factory.mktemp("merging")
    destination = dlt.destinations.duckdb(str(folder / "warehouse.duckdb"))
    return Table(pipeline_for("merging", destination, folder))


@pytest.fixture
def on_postgres(database: Cluster, tmp_path: Path) -> Iterator[Table]:
    """On a server."""
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        yield Table(pipeline_for("merging", "postgres", tmp_path))
    database.ask("drop schema merging cascade; drop schema merging_staging cascade; select 1")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(standing=STANDING, coming=COMING)
def test_what_is_closed_and_opened_is_what_dlt_would(
    on_duckdb: Table, standing: list[tuple[Row, bool]], coming: list[Row]
) -> None:
    """Restated, stated again, reopened, doubled in the table or in what came: the same rows with the same times."""
    theirs, ours = (on_duckdb.merged(standing, coming, ours=one) for one in (False, True))
    assert ours == theirs


@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_what_is_closed_and_opened_on_postgres_is_what_dlt_would(on_postgres: Table) -> None:
    """The same on a server, which is asked in another way."""

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(standing=STANDING, coming=COMING)
    def tried(standing: list[tuple[Row, bool]], coming: list[Row]) -> None:
        theirs, ours = (on_postgres.merged(standing, coming, ours=one) for one in (False, True))
        assert ours == theirs

    tried()


def test_two_events_that_state_the_same_have_a_row_each(on_duckdb: Table) -> None:
    """dlt would take the one that stands for the other."""
    rows = on_duckdb.merged([(("a", "x"), True)], [("a", "x"), ("b", "x")], ours=True)
    assert sorted((key, digest, to) for key, digest, _, to, _ in rows) == [("a", "x", None), ("b", "x", None)]


def test_hashes_of_any_length_tell_two_events_apart(on_duckdb: Table) -> None:
    """A key and a hash that run into each other are no other pair's, as where somebody's own hashes are short."""
    rows = on_duckdb.merged([(("1", "23"), True), (("2", "13"), True)], [("12", "3"), ("1", "32")], ours=True)
    held = sorted((key, digest) for key, digest, _, to, _ in rows if to is None)
    assert held == [("1", "32"), ("12", "3"), ("2", "13")]
    again = on_duckdb.merged([(("1", "23"), True)], [("1", "23"), ("12", "3")], ours=True)
    assert sorted((key, digest) for key, digest, *_ in again) == [("1", "23"), ("12", "3")]


A1, B1 = (("a", "a1"), True), (("b", "b1"), True)


@pytest.mark.parametrize(
    ("standing", "coming", "is_merged"),
    [
        ([A1, B1], [("a", "a1"), ("b", "b1")], False),
        ([A1, B1], [("a", "a1")], False),
        ([A1, B1], [("a", "a1"), ("a", "a1")], True),
        ([A1, A1], [("a", "a1")], True),
        ([A1, B1], [("a", "a1"), ("b", "b2")], True),
        ([A1], [("a", "a1"), ("b", "b1")], True),
        ([(("a", "a1"), False)], [("a", "a1")], True),
        ([], [("a", "a1")], True),
    ],
)
def test_nothing_is_merged_where_all_that_came_stands(
    on_duckdb: Table, standing: list[tuple[Row, bool]], coming: list[Row], is_merged: bool
) -> None:
    """Once each, and open: else there may be something to close or to open. What was made for the merge always goes."""
    on_duckdb.merged(standing, coming, ours=True)
    assert on_duckdb.asked == ["CREATE", "SELECT", *(["UPDATE", "INSERT"] if is_merged else []), "DROP"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(standing=STANDING, coming=COMING, is_large=st.booleans())
@example(standing=[A1, B1], coming=[("a", "a1"), ("b", "b1")], is_large=False)
@example(standing=[A1, A1], coming=[("a", "a1"), ("a", "a1")], is_large=False)
@example(standing=[A1, B1], coming=[("a", "a1")], is_large=True)
@example(standing=[A1, B1, (("b", "b2"), False)], coming=[("a", "a1"), ("b", "b2")], is_large=False)
def test_a_load_adds_up_where_each_event_that_came_has_one_open_row_as_it_came(
    on_duckdb: Table, standing: list[tuple[Row, bool]], coming: list[Row], is_large: bool
) -> None:
    """Whether the table has many other rows, and they are looked up, or few, and it is read whole."""
    standing = standing + [(("z", f"z{number}"), True) for number in range(50 if is_large else 0)]
    stands = {key: sorted(digest for (one, digest), to in standing if to and one == key) for key, _ in coming}
    once = len({key for key, _ in coming}) == len(coming)
    with on_duckdb.client() as client:
        table, staged = on_duckdb.fill(client.sql_client.execute_sql, standing, coming)
        names = Names(table, staged, "event_key", "statement_hash", "valid_to")
        found = commit_check._adds_up(client.sql_client, names)  # noqa: SLF001 - all that it answers is seen here alone
    assert found == (once and all(stands[key] == [digest] for key, digest in coming))
