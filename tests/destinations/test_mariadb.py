"""MariaDB: what its server would do by itself, and must not, to keys, texts, amounts, times and views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import tests.support  # noqa: F401 - settles dlt before it is imported

# isort: split
import dlt
from dlt.common.configuration import resolve_configuration

from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError
from conversync.extract.declared import BOOLEAN, DATE, INSTANT, MONEY, STRING, UPSERTED, Column, Table
from conversync.load import pipeline_for
from conversync.vendors import vendors
from conversync.warehouse import views, write_lock
from conversync.warehouse.mariadb_views import TYPES
from conversync.warehouse.query import rows
from tests.destinations import mariadb
from tests.destinations.places import Elsewhere
from tests.houses import environment
from tests.process.test_merge_strategies import KINDS, LOADS, kept_so, table_of
from tests.send.receiver import PUBLIC_KEY

pytestmark = [
    pytest.mark.destinations,
    pytest.mark.skipif(mariadb.SERVER is None, reason="no MariaDB server is installed here"),
]


@contextmanager
def dataset(maria: mariadb.Server, folder: Path) -> Iterator[Any]:
    """A pipeline into a dataset of its own."""
    with environment({"DESTINATION__SQLALCHEMY__CREDENTIALS": maria.url}):
        yield pipeline_for("things", write_lock.patient("sqlalchemy"), folder / "work")
    for name in ("things", "things_staging"):
        maria.run(f"drop database if exists {name}")


VALUES = Table(
    "values_that_came",
    "",
    (
        Column("key", STRING, required=True),
        Column("said", STRING),
        Column("amount", MONEY),
        Column("at", INSTANT),
        Column("day", DATE),
        Column("is_so", BOOLEAN),
    ),
    UPSERTED,
    ("key",),
)
AMOUNT, AT, DAY = (
    Decimal("123456789012.345678"),
    datetime(2026, 3, 29, 1, 59, 59, 123457, UTC),
    date(2026, 3, 29),
)
LONG = "ß🙂\\'\"%s:name;" * 20_000


def test_keys_are_told_apart_by_their_bytes_and_values_are_as_they_came(
    maria: mariadb.Server, tmp_path: Path
) -> None:
    """Where the server's own collation takes 'a' for 'A', 'ä' and 'a ', and its texts end after 64 KB."""
    keys = ["a", "A", "a ", "ä", "a\u0308", "", " "]
    came = [{"key": key, "said": LONG, "amount": AMOUNT, "at": AT, "day": DAY, "is_so": True} for key in keys]
    with dataset(maria, tmp_path) as pipeline:
        for _ in range(2):
            data = [pa.Table.from_pylist(came, schema=VALUES.schema)]
            pipeline.run(dlt.resource(data, name=VALUES.name, **VALUES.hints))
        with pipeline.sql_client() as client:
            found = rows(client, "select `key`, said, amount, at, day, is_so from things.values_that_came")
    assert sorted(row[0] for row in found) == sorted(keys)
    assert {row[1:] for row in found} == {(LONG, AMOUNT, AT.replace(tzinfo=None), DAY, 1)}


def test_a_key_that_has_no_room_is_told(maria: mariadb.Server, tmp_path: Path) -> None:
    """In place of one cut short, under which another event may stand."""
    data = [pa.Table.from_pylist([{"key": "k" * 769}], schema=VALUES.schema)]
    with (
        dataset(maria, tmp_path) as pipeline,
        pytest.raises(ConversyncError, match="at most 768 signs"),
        translate_errors(),
    ):
        pipeline.run(dlt.resource(data, name=VALUES.name, **VALUES.hints))


@pytest.mark.parametrize("kept", KINDS)
def test_tables_are_kept_as_on_duckdb(maria: mariadb.Server, tmp_path: Path, kept: Any) -> None:
    """Lists, first rows and the like, which dlt has no merges for there."""
    table, found = table_of(kept), []
    with dataset(maria, tmp_path) as pipeline:
        for load in LOADS:
            came = [pa.table(list(map(list, zip(*load, strict=True))), schema=table.schema)]
            pipeline.run(dlt.resource(came, name=table.name, **table.hints))
            with pipeline.sql_client() as client:
                found.append(
                    rows(client, "select part, number, said from things.things order by part, number")
                )
    assert list(map(list, found)) == kept_so(tmp_path, kept, has_fewer=False)


def test_each_view_says_what_it_says_in_a_file(on_mariadb: Elsewhere) -> None:
    """Every row of every view of four vendors after two nights, asked of DuckDB over the same tables."""
    on_mariadb.env |= on_mariadb.sandbox.settings()
    world = on_mariadb.sandbox.world
    for night in (25, 40):
        world.now = world.day(night)
        done = on_mariadb.run("load", "--from", str(world.day(-1).date()), "--to", str(world.now.date()))
        assert done.code in (0, 3), done.told
    compared = 0
    with environment(on_mariadb.env), duckdb.connect() as file:
        file.execute("set timezone = 'UTC'")
        for vendor in vendors().values():
            chosen = resolve_configuration(vendor.settings(), sections=("sources", vendor.name))
            pipeline = pipeline_for(
                vendor.dataset, write_lock.patient("sqlalchemy"), on_mariadb.folder / "work"
            )
            pipeline.sync_destination()
            if not pipeline.default_schema_name:
                continue
            with pipeline.sql_client() as client:
                copied(client, pipeline, file)
                for name, query in vendor.views(chosen).items():
                    if name in views.UNSAID[views.MARIADB]:
                        continue
                    place_there = client.make_qualified_table_name(name)
                    there = rows(client, f"select * from {place_there}")
                    here = file.execute(
                        views.portable(query, f'"{vendor.dataset}".{{}}'.format, "duckdb")
                    ).fetchall()
                    assert sorted(map(told, there)) == sorted(map(told, here)), (vendor.name, name)
                    compared += len(here)
    assert compared > 500


def copied(client: Any, pipeline: Any, file: duckdb.DuckDBPyConnection) -> None:
    """The tables of a dataset, with their types."""
    file.execute(f'create schema "{pipeline.dataset_name}"')
    for name, columns in views.columns_of(pipeline):
        place, kinds = client.make_qualified_table_name(name), dict(columns)
        listed = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in kinds.items())
        file.execute(f'create table "{pipeline.dataset_name}"."{name}" ({listed})')
        held = ", ".join(map(client.escape_column_name, kinds))
        found = [list(map(in_utc, row)) for row in rows(client, f"select {held} from {place}")]
        if found:
            marks = ", ".join("?" * len(kinds))
            file.executemany(f'insert into "{pipeline.dataset_name}"."{name}" values ({marks})', found)


def in_utc(value: object) -> object:
    """A time with its zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def told(row: Any) -> tuple[str, ...]:
    """A row as texts: truths as numbers, times in UTC, amounts without further noughts."""
    return tuple(map(_told, row))


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    if isinstance(value, bool | int | float | Decimal):
        return f"{Decimal(str(int(value) if isinstance(value, bool) else value)).normalize():f}"
    return str(value)


def test_a_server_without_zones_is_refused_before_any_request(on_mariadb: Elsewhere) -> None:
    """A day in a zone would be null there, and nobody would be told."""
    with mariadb.server(has_zones=False) as bare:
        on_mariadb.env["DESTINATION__SQLALCHEMY__CREDENTIALS"] = bare.url
        on_mariadb.load().refused(2, "does not know the zone")
    assert on_mariadb.sandbox.requests == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1 as send_key /*! into outfile '/tmp/x' */", "it must be one SELECT"),
        ("select 1 as send_key into @a", "it must be one SELECT"),
        ("select sleep(60) as send_key", "took longer than 1 seconds"),
    ],
)
def test_a_query_only_reads_and_ends_in_time(on_mariadb: Elsewhere, query: str, words: str) -> None:
    """Also where MariaDB would run what is a comment to others."""
    done = on_mariadb.load()
    assert done.code == 0, done.told
    on_mariadb.env |= {"OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY, "SEND_QUERY_SECONDS": "1"}
    told = on_mariadb.run("send", "optibase.conversions", "--from", query, "--since", "2024-01-01")
    told.refused(2, words)


def test_a_view_is_sent_by_its_name(on_mariadb: Elsewhere) -> None:
    """Names stand in double quotes then, as elsewhere; and who is not let in is told so."""
    done = on_mariadb.load()
    assert done.code == 0, done.told
    on_mariadb.query(
        "create or replace view besitos.out as select event_key as send_key from besitos.conversion_events"
    )
    on_mariadb.env |= {"OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY}
    told = on_mariadb.run(
        "send", "optibase.conversions", "--from", "besitos.out", "--since", "2024-01-01", "--dry-run"
    )
    assert "near" not in told.told, told.told
    assert "tested_user_external_id" in told.told, "it was read, and lacks a column"
    url = on_mariadb.env["DESTINATION__SQLALCHEMY__CREDENTIALS"]
    on_mariadb.env["DESTINATION__SQLALCHEMY__CREDENTIALS"] = f"{url.rpartition('/')[0]}/nowhere_at_all"
    on_mariadb.load().refused(2, "does not let this user in", "nowhere_at_all")


def test_what_was_sent_is_held_against_the_trackers_own(on_mariadb: Elsewhere) -> None:
    """Three conversions, each there as it was sent."""
    on_mariadb.env |= on_mariadb.sandbox.settings()
    load = ["load", "keitaro", *on_mariadb.days[2:]]
    query = (
        "select conversion_id as send_key, sub_id as subid, 1.5 as payout, 'sale' as status "
        "from keitaro.conversions order by 1 limit 3"
    )
    send = ["send", "keitaro.conversions", "--from", query, "--since", "2020-01-01"]
    for command in (load, send, load, ["reconcile", "keitaro"]):
        done = on_mariadb.run(*command)
        assert done.code == 0, done.told
    assert "3 sent, 3 there as sent, 0 differences" in done.told


@pytest.mark.parametrize(
    "command",
    [
        ["build"],
        ["report"],
        ["undo", "besitos"],
        ["forget", "somebody"],
        ["verify", "besitos", "--repair"],
        ["close", "2026-01"],
        ["load", "besitos", "--from", "2026-01-01", "--to", "2026-01-10", "--shard", "1/2"],
    ],
)
def test_what_is_not_to_be_had_there_says_so(on_mariadb: Elsewhere, command: list[str]) -> None:
    """One sentence, exit 2."""
    done = on_mariadb.run(*command)
    done.refused(2)
    assert done.told.strip().count("\n") == 0


@pytest.mark.parametrize("driver", ["sqlite", "mysql+pymysql", "postgresql+psycopg2"])
def test_no_other_database_is_let_by_that_way(on_mariadb: Elsewhere, driver: str) -> None:
    """SQLite's amounts are floating point, and MySQL's server was never seen."""
    on_mariadb.env["DESTINATION__SQLALCHEMY__CREDENTIALS"] = f"{driver}://user:none@127.0.0.1/base"
    on_mariadb.load().refused(2, "is for MariaDB alone", f"not for {driver}:")
    assert on_mariadb.sandbox.requests == []
