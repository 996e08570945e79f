"""Keys of an earlier version on a PostgreSQL: named once, and nothing is stated anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from tests.besitos.earlier import (
    KEYS,
    MEANT,
    NIGHTS,
    RESTATED,
    REVERSALS,
    STATEMENTS,
    UNNAMED,
    VIEW,
    WITHDRAWN,
)
from tests.dbt.cluster import Cluster, binary
from tests.process.support import ProcessPool
from tests.process.test_database import Remote

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
INDEXES = "select indexname from pg_indexes where schemaname = 'besitos' and indexname like '%reversals%'"


@pytest.fixture
def old(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[Remote]:
    """What an earlier version held after two nights, but for the keys."""
    with Sandbox(World(days=1)) as sandbox:
        place = Remote(tmp_path, sandbox, nursery)
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        for rows in NIGHTS:
            sandbox.besitos.rows = rows
            done = place.night()
            assert done.code == 0, done.told
        database.ask(f"{RESTATED} select 1")
        yield place
        database.ask("drop schema besitos cascade; drop schema besitos_staging cascade; select 1")


def all_of(database: Cluster) -> list[Any]:
    """Statements, what is withdrawn, and the view."""
    return [database.ask(one) for one in (STATEMENTS, WITHDRAWN, VIEW)]


@pytest.mark.more
def test_keys_on_postgres_get_their_rewards(old: Remote, database: Cluster) -> None:
    """As on DuckDB: the next load names them and adds nothing. The index of an earlier version goes."""
    before = all_of(database)
    assert [key for key, *_ in before[0]] == KEYS
    assert database.ask(REVERSALS) == MEANT
    column = "besitos.conversion_events (event_key)"
    database.ask(f"{UNNAMED} create index old_reversals on {column}; select 1")
    for _ in range(2):
        done = old.night()
        assert done.code == 0, done.told
        assert all_of(database) == before
    assert database.ask(INDEXES) == [("reversals_to_name",)]
