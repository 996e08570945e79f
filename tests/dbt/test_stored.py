"""Whatever is done to a table changes its text; whatever is not leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from conversync.warehouse.stored import SMALL, look
from conversync.warehouse.views import reads_of

ROWS = 130_000
MADE = f"""
    create schema shop; create schema mine;
    create table shop.sales as select
        i as id, i % 7 as kind, 'sale ' || i % 400 as name, md5(cast(i as varchar)) as hash,
        cast(i % 91 as decimal(18, 6)) as amount, timestamptz '2026-01-01' + to_seconds(i) as at,
        i * 0.37e0 as share, i % 3 = 0 as is_odd,
        case when i % 9000 = 0 then repeat(md5(cast(i as varchar)), 9000) end as long
    from range({ROWS}) as numbers(i);
    create table shop.other as select 1 as one;
    create table shop.windows as select 1 as load;
    create view shop.small as with books_days as (select kind, count(*) as n from shop.sales group by kind)
        select n, (select count(*) from shop.other) as others from books_days;
    create view shop.days as select current_date as day;
    create view mine.odd as select max(sales.id) as last from shop.small, shop.sales;
"""
NAME = "shop.sales"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several groups of rows, with texts longer than a block."""
    path = tmp_path_factory.mktemp("stored") / "sales.duckdb"
    change(path, MADE)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path / "sales.duckdb"))


def change(path: Path, statements: str) -> None:
    """A session of its own, which closes the file."""
    with duckdb.connect(str(path), config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(statements)


def own(path: Path, name: str = NAME) -> str | None:
    """The text of a relation as the file lies there."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = look(connection, path)
        found.ask(connection, [])
    return found.own(name)


@pytest.mark.parametrize(
    "statement",
    [
        "update shop.sales set amount = amount + 1 where id in (5, 96)",
        "update shop.sales set kind = 1 - kind where id in (7, 8)",
        "update shop.sales set name = 'SALE 3' where id = 3",
        "update shop.sales set hash = md5('') where id = 129999",
        "update shop.sales set long = long[:280000] || 'x' || long[280002:] where id = 36000",
        "update shop.sales set is_odd = not is_odd where id = 125000",
        "update shop.sales set share = share * 1.0000001e0 where id = 9",
        'update shop.sales set "at" = "at" + interval 1 microsecond where id = 124000',
        "update shop.sales set long = null where id = 9000",
        "delete from shop.sales where id = 17",
        "insert into shop.sales select * replace (-1 as id) from shop.sales limit 1",
        "comment on column shop.sales.id is 'mine'",
    ],
)
def test_what_is_changed_is_seen(path: Path, statement: str) -> None:
    """Each kind of value, wherever DuckDB keeps it; and that the other table is as it was, also after more writes."""
    before, other = own(path), own(path, "shop.other")
    assert before
    change(path, statement)
    after = own(path)
    assert after not in {before, None}
    assert own(path, "shop.other") == other
    change(path, "create table more as select * from range(50000); force checkpoint; drop table more")
    assert (own(path), own(path, "shop.other")) == (after, other)


def test_which_rows_were_deleted_is_seen(path: Path, tmp_path: Path) -> None:
    """As many of the same table, in two copies of it."""
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(path.read_bytes())
    change(path, "delete from shop.sales where id = 17")
    change(copy, "delete from shop.sales where id = 18")
    assert own(path) != own(copy)


def test_what_is_not_in_the_file_yet_is_not_known(path: Path) -> None:
    """Rows that are in DuckDB's log."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set checkpoint_threshold = '1GB'; insert into shop.other values (2)")
        found = look(connection, path)
    assert found.own("shop.other") is None
    assert found.own("nobody.here") is None


def test_a_small_part_counts_by_what_it_says(path: Path) -> None:
    """A view over it is the same as long as that says the same; what it reads beside counts as it is."""
    query = reads_of("with one as (select * from mine.odd) select * from one", SMALL)
    small = reads_of("select * from shop.small", SMALL)
    assert query.relations == {"mine.odd"}

    def said() -> tuple[str | None, str | None]:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = look(connection, path)
            found.ask(connection, [query, small])
        assert found.reach(small) == {"shop.small", "shop.other", "shop.sales"}
        assert found.reach(query) == {"mine.odd", "shop.small", "shop.other", "shop.sales"}
        return found.said(query), found.said(small)

    first = said()
    assert None not in first
    change(path, "update shop.sales set amount = 0 where id = 1")
    second = said()
    assert second[0] != first[0]
    assert second[1] == first[1], "the part says what it said"
    change(path, "update shop.sales set kind = 6 where id = 1")
    third = said()
    assert third[1] != second[1]
    change(path, "update shop.other set one = 2")
    assert said()[1] not in {third[1], None}


def test_days_are_what_they_say(path: Path) -> None:
    """Beside a table of windows they change with the clock; one that fails is not known."""
    dated = own(path, "shop.days")
    assert dated == own(path, "shop.days")
    change(path, "create or replace view shop.days as select current_date + 1 as day")
    assert own(path, "shop.days") not in {dated, None}
    change(path, "create or replace view shop.days as select error('no days') as day")
    assert own(path, "shop.days") is None


def test_what_has_no_schema_is_not_taken_for_a_part() -> None:
    """A name that nobody made is no relation that is known."""
    with pytest.raises(ValueError, match="in a schema that is not told"):
        reads_of("select * from sales")
