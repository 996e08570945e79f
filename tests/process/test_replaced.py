"""Other ids for some of the rows, on a PostgreSQL: each conversion counts once, in the same night."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.besitos.test_replaced import ALL, NEW, TAKEN, renumbered, sales
from tests.dbt.cluster import Cluster, binary
from tests.process.support import ProcessPool
from tests.process.test_database import Remote

REPLACED = "select transaction_id, replaced_by from besitos.withdrawn_events where replaced_by is not null order by 1"


@pytest.mark.more
@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_m02_other_ids_on_postgres_count_once(
    database: Cluster, tmp_path: Path, nursery: ProcessPool
) -> None:
    """As on DuckDB: three sales, one of which was taken back; and back again."""
    with Sandbox(World(days=1)) as sandbox:
        place = Remote(tmp_path, sandbox, nursery)
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        first = [*sales(), *TAKEN]
        for served, ids in (
            (first, (0, 0)),
            ([*renumbered(sales(), 3), *renumbered(TAKEN, 1)], (0, NEW)),
            (first, (NEW, 0)),
        ):
            sandbox.besitos.rows = served
            done = place.night()
            assert done.code == 0, done.told
            assert database.ask(ALL) == [(55, 5, 50, 0)]
            pairs = [(number + ids[0], number + ids[1]) for number in (1, 2, 3)] if sum(ids) else []
            assert database.ask(REPLACED) == pairs
        database.ask("drop schema besitos cascade; drop schema besitos_staging cascade; select 1")
