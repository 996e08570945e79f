"""L11: what was set aside is kept as it came until it is long resolved; texts and numbers are not published unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.besitos.rows import row
from tests.health.support import Workspace, change, run, told
from tests.process.support import Done

DAYS = ("--from", "2024-12-01", "--to", "2024-12-08")
BAD = row(1, reward="much", note="call 491715550001")


@pytest.fixture
def aside(house: Workspace) -> Workspace:
    """One row was set aside and mended since; another one still is."""
    house.sandbox.besitos.rows = [BAD, row(2), row(3, reward="more", note="call 491715550003")]
    assert house.run("2024-12-01", "2024-12-08").total("rejected_new") == 2
    house.sandbox.besitos.rows = [row(1), row(2), row(3, reward="more", note="call 491715550003")]
    house.load("2024-12-01", "2024-12-08")
    assert raws(house) == [(True, True), (False, True)]
    return house


def raws(house: Workspace) -> list[tuple[bool, bool]]:
    """Of each row, the mended one first, whether it is resolved, and whether its text is there."""
    query = "select resolved_at is not null, raw is not null from besitos.rejected_rows order by 1 desc"
    return house.query(query)


def load(house: Workspace, **settings: str) -> Done:
    """The command."""
    done = run(house, "load", "besitos", *DAYS, **settings)
    assert done.code == 0, done.err
    return done


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("resolved", "seen", "settings", "kept"),
    [
        (89, 89, {}, [True, True]),
        (91, 91, {}, [False, True]),
        (91, 456, {}, [False, False]),
        (91, 456, {"CONVERSYNC_RETAIN_REJECTED_DAYS": "off"}, [True, True]),
        (8, 8, {"CONVERSYNC_RETAIN_REJECTED_DAYS": "7"}, [False, True]),
    ],
    ids=["l11-young", "l11-resolved", "l11-given-up", "l11-off", "l11-shorter"],
)
def test_l11_a_row_set_aside_goes_after_its_days(
    aside: Workspace, resolved: int, seen: int, settings: dict[str, str], kept: list[bool]
) -> None:
    """Its text does, and one line says so once; its hash, its reason and when it was seen stay, as all counts do."""
    change(aside, f"update besitos.rejected_rows set resolved_at = resolved_at - interval {resolved} day")
    change(aside, f"update besitos.rejected_rows set last_seen = last_seen - interval {seen} day")
    columns = "raw_hash, reason, stream, first_seen, last_seen, resolved_at"
    before = aside.query(f"select {columns} from besitos.rejected_rows order by all")
    aside.sandbox.besitos.rows = [row(5, date_time="2025-01-04 12:00:00")]
    days = ("--from", "2025-01-01", "--to", "2025-01-08")
    done = run(aside, "load", "besitos", *days, **settings)
    assert done.code == 0, done.err
    assert [there for _, there in raws(aside)] == kept
    gone = kept.count(False)
    rows = "1 row" if gone == 1 else f"{gone} rows"
    assert f"the text of {rows} set aside and long resolved was removed" in done.out or not gone
    assert done.out.count("was removed, as retain_rejected_days says.") == bool(gone)
    assert aside.query(f"select {columns} from besitos.rejected_rows order by all") == before
    again = run(aside, "load", "besitos", *days, **settings)
    assert "was removed" not in again.out
    assert told(aside).keys() >= {"set_aside"} or told(aside).keys() >= {"rejected"}


@pytest.mark.more
def test_l11_what_is_served_again_has_its_text_again(aside: Workspace) -> None:
    """Forgetting is not believing: the row counts as set aside, and can be mended."""
    change(aside, "update besitos.rejected_rows set resolved_at = resolved_at - interval 91 day")
    load(aside)
    assert raws(aside) == [(True, False), (False, True)]
    aside.sandbox.besitos.rows = [BAD, row(2), row(3, reward="more", note="call 491715550003")]
    assert aside.run("2024-12-01", "2024-12-08").total("rejected_new") == 1
    assert raws(aside) == [(False, True), (False, True)]


def copy_of(house: Workspace) -> Path:
    return house.folder / "published" / "warehouse.duckdb"


def shape(file: Path) -> list[tuple[Any, ...]]:
    """Every table and view: its columns with their types and comments, and how many rows it has."""
    described = (
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where not internal order by all"
    )
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(described).fetchall()
        tables = dict.fromkeys((schema, table) for schema, table, *_ in found)
        return found + [
            (*place, connection.execute(f"select count(*) from {'.'.join(place)}").fetchone())
            for place in tables
        ]


@pytest.fixture
def writing(aside: Workspace) -> Workspace:
    """With an outbox of messages, and what was sent of it."""
    change(
        aside,
        """
        create table main.texts (send_key varchar, sender_address varchar, address varchar not null, message varchar);
        insert into main.texts values ('k', 'INFOSMS', '491715550005', 'Your code is 8841');
        create schema sent;
        create table sent.infobip_messages (send_key varchar not null, status varchar, reason varchar,
            content_hash varchar, content json, answer json, identities json);
        insert into sent.infobip_messages values ('k', 'rejected', 'no 491715550005 here', 'h',
            '{"address":"491715550005","message":"Your code is 8841"}', '{"results":[{"address":"491715550005"}]}',
            '[{"identity":"c","content":{"address":"491715550005"}}]');
        create table sent.infobip_message_results
            (send_key varchar not null, address varchar not null, accepted boolean);
        insert into sent.infobip_message_results values ('k', '491715550005', false);
        create table sent.keitaro_conversions (send_key varchar not null, status varchar, reason varchar,
            content_hash varchar, content json, answer json, identities json);
        insert into sent.keitaro_conversions values ('s', 'sent', null, 'h', '{"subid":"c1","payout":1.5}', '{}', '[]');
        """,
    )
    return aside


@pytest.mark.more
def test_l11_texts_and_numbers_are_not_published(writing: Workspace) -> None:
    """Not one byte of them is in the copy; every table, column, type, comment, count and amount is."""
    load(writing)
    assert shape(copy_of(writing)) == shape(writing.path)
    with duckdb.connect(str(copy_of(writing)), read_only=True) as copy:
        assert copy.execute("select distinct raw from besitos.rejected_rows").fetchall() == [(None,)]
        assert copy.execute("from main.texts").fetchall() == [("k", "INFOSMS", None, None)]
        ledger = copy.execute("from sent.infobip_messages").fetchall()
        assert ledger == [("k", "rejected", None, "h", None, None, None)]
        assert copy.execute("from sent.infobip_message_results").fetchall() == [("k", None, False)]
        [[content]] = copy.execute("select content from sent.keitaro_conversions").fetchall()
        assert content == '{"subid":"c1","payout":1.5}'
        mine = copy.execute("from besitos.conversions order by all").fetchall()
    assert mine == writing.query("from besitos.conversions order by all")
    assert b"4917155500" in writing.path.read_bytes()
    for told_ in (b"4917155500", b"8841"):
        assert told_ not in copy_of(writing).read_bytes()


@pytest.mark.more
def test_l11_tables_of_anybodys_are_published_whatever_they_are(writing: Workspace) -> None:
    """Generated columns, keys, indexes, broken views; a table whose very key is withheld comes without its rows."""
    change(
        writing,
        """
        create table main.made (x integer primary key, y integer generated always as (x + 1) virtual);
        insert into main.made values (1);
        create table main.told (send_key varchar, address varchar primary key);
        insert into main.told values ('k', '491715550006');
        create table main.gone (x integer); create view main.broken as select * from main.gone; drop table main.gone;
        """,
    )
    done = load(writing)
    assert "no rows of main.told" in done.err
    with duckdb.connect(str(copy_of(writing)), read_only=True) as copy:
        assert copy.execute("from main.made").fetchall() == [(1, 2)]
        assert copy.execute("from main.told").fetchall() == []
        assert copy.execute("select count(*) from besitos.conversions").fetchone() == (2,)
    assert b"4917155500" not in copy_of(writing).read_bytes()


@pytest.mark.more
def test_l11_one_setting_publishes_them(writing: Workspace) -> None:
    """Then the copy is the file, to the byte; what is neither yes nor no is refused before any request."""
    load(writing, CONVERSYNC_PUBLISH_PERSONAL="true")
    assert copy_of(writing).read_bytes() == writing.path.read_bytes()
    requests = len(writing.sandbox.requests)
    refused = run(writing, "load", "besitos", CONVERSYNC_PUBLISH_PERSONAL="perhaps")
    assert (refused.code, "publish_personal" in refused.err) == (2, True)
    assert len(writing.sandbox.requests) == requests


@pytest.mark.more
def test_l11_names_in_capitals_are_the_same_names(aside: Workspace) -> None:
    """An outbox is read whatever its columns' capitals, and so is withheld."""
    change(
        aside,
        """
        create table main.texts ("Send_Key" varchar, "Address" varchar not null, "MESSAGE" varchar, "Note" varchar);
        insert into main.texts values ('k', '491715550005', 'Your code is 8841', 'mine');
        create schema own;
        create table own."Rejected_Rows" ("Raw" varchar);
        insert into own."Rejected_Rows" values ('call 491715550007');
        """,
    )
    load(aside)
    with duckdb.connect(str(copy_of(aside)), read_only=True) as copy:
        assert copy.execute("from main.texts").fetchall() == [("k", None, None, "mine")]
        assert copy.execute("from own.rejected_rows").fetchall() == [(None,)]
    for told_ in (b"4917155500", b"8841"):
        assert told_ in aside.path.read_bytes()
        assert told_ not in copy_of(aside).read_bytes()


def test_l11_a_copy_costs_a_file_copy_where_nothing_is_withheld(house: Workspace) -> None:
    """No row was ever set aside, and nothing sent: the copy is the file."""
    house.sandbox.besitos.rows = [row(1)]
    load(house)
    assert copy_of(house).read_bytes() == house.path.read_bytes()
