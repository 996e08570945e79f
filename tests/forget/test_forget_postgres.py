"""The same on a PostgreSQL: neither its tables nor the files of its data hold the person afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.besitos.rows import reversal
from tests.dbt.cluster import Cluster, binary
from tests.forget.story import LOADS, MONEY, PERSON, SEND, Story, forms

pytestmark = [
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
    # A minute, of which half is the story's.
    pytest.mark.long,
]
TABLES = (
    "select table_schema, table_name from information_schema.tables "
    "where table_schema not in ('pg_catalog', 'information_schema')"
)


def money(database: Cluster) -> dict[str, object]:
    """All that must not move."""
    now = (
        "select transaction_id, payout, net_payout, currency, is_reversed from besitos.conversions order by 1"
    )
    queries = {name: query.replace("order by all", "order by 1, 2, 3, 4, 5") for name, query in MONEY.items()}
    wanted = {**queries, "now": now, "periods": "select sha256 from books.periods order by 1"}
    return {name: database.ask(query) for name, query in wanted.items()}


def hits(database: Cluster, folder: Path) -> list[str]:
    """In tables, in the files of the data but its log of what was written, and in the project's folder."""
    found, wanted = set[str](), forms(PERSON)
    for schema, table in database.ask(TABLES):
        lines = database.ask(f'select cast(t as text) from "{schema}"."{table}" as t')
        found |= {
            f"{schema}.{table}" for (line,) in lines for form in wanted if form in line.lower().encode()
        }
    [[data]] = database.ask("show data_directory")
    files = [one for place in (Path(data), folder) for one in place.rglob("*") if one.is_file()]
    found |= {
        str(path)
        for path in files
        if "pg_wal" not in path.parts
        for form in wanted
        if form in path.read_bytes().lower()
    }
    named = dict(
        database.ask(
            "select cast(pg_relation_filenode(oid) as text), cast(oid::regclass as text) from pg_class"
        )
    )
    return sorted(f"{one} ({named.get(Path(one).name)})" for one in found)


def test_nothing_is_left_on_a_server(told: Story, database: Cluster, tmp_path: Path) -> None:
    """Two nights, a send and a close; then the person, and the night after with a late reversal."""
    folder = tmp_path / "project"
    (folder / "tmp").mkdir(parents=True)
    shutil.copytree(told.folder / ".dlt", folder / ".dlt")
    story = Story(folder, told.sandbox, told.forks, where=("--destination", "postgres"))
    story.settings["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
    told.serve(payout=10)
    story.run(*LOADS, code=3)
    told.serve(user=PERSON.swapcase())
    story.run(*LOADS)
    story.run(*SEND)
    story.run("close", "2024-12", "--force", "--why", "a test")
    database.outside("analyze")
    before = money(database)
    assert hits(database, folder) != []
    done = story.run("forget", PERSON)
    assert "sent.keitaro_conversions: 2 rows cleared" in done.out
    assert (hits(database, folder), money(database)) == ([], before)
    told.serve(reversal(900, user_id=PERSON), user=PERSON)
    story.run(*LOADS)
    story.run("verify", "besitos", "--from", "2024-12-03", "--to", "2024-12-07")
    story.run("status")
    story.run("books")
    assert hits(database, folder) == []
    after = money(database)
    assert len(after["history"]) == len(before["history"]) + 1  # type: ignore[arg-type] # rows
    sent = len(told.sandbox.keitaro.received)
    story.run(*SEND)
    assert len(told.sandbox.keitaro.received) == sent
    assert "Nothing was found" in story.run("forget", PERSON).out
