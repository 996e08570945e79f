"""Shards of a vendor by declaration, in a package that is none of ours: killed and begun again, they are one load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_acme import Acme, running

from conversync.sandbox import Sandbox
from tests.dbt.cluster import Cluster, binary
from tests.process.support import ProcessPool, nursery
from tests.process.test_shards import DAYS, OF_RUNS, Machines, killed_somewhere
from tests.vendors.site import made_site

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")

FIRST = date.fromisoformat(DAYS[1])


class Declared(Machines):
    """Machines that load the template's vendor."""

    vendor = "acme"
    # A day that two windows share is on the last page of one, and on the first of the other.
    of_runs = OF_RUNS | {"_page"}
    acme: Acme

    def held(self) -> Any:
        """By click, every statement's amount and status, oldest first."""
        found: dict[str, list[tuple[str, str]]] = {}
        for click, amount, status in self.query(
            "select click_id, amount, status from acme.conversion_events order by valid_from, click_id"
        ):
            found.setdefault(click, []).append((f"{amount:.2f}", status))
        return found

    def expected(self) -> Any:
        """Each once, as the vendor tells it."""
        return {name: [(row["amount"], row["status"])] for name, row in self.acme.rows.items()}


@pytest.fixture(scope="module")
def of_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """Its runs find the package."""
    site = made_site(tmp_path_factory.mktemp("site"))
    with nursery(tmp_path_factory.mktemp("nursery"), PYTHONPATH=str(site)) as pool:
        yield pool


@pytest.fixture
def declared(database: Cluster, sandbox: Sandbox, of_site: ProcessPool, tmp_path: Path) -> Iterator[Declared]:
    """Nothing is loaded yet; seventeen days have forty conversions each, and some were taken back."""
    with running(0) as served:
        for number in range(17 * 40):
            at = f"{FIRST + timedelta(days=number // 40)} {number % 24:02}:00:00"
            served.acme.add(f"c{number}", f"{number}.10", at=at, status="sale" if number % 7 else "reversed")
        found = Declared(tmp_path, sandbox, of_site, "postgres", database.ask)
        found.acme = served.acme
        found.env |= served.settings | {"DESTINATION__POSTGRES__CREDENTIALS": database.url}
        found.env |= {"ACME_START_DATE": DAYS[1], "ACME_PAGE_SIZE": "50"}
        yield found
        found.forget()


@pytest.mark.more
def test_shards_at_once_leave_what_one_load_leaves(declared: Declared) -> None:
    """All rows, the evidence among them, and the state; the cursor is moved."""
    declared.shards(1, 2, 3, 4)
    assert declared.held() == declared.expected()
    assert declared.state()["conversions"]["through"] == "2024-12-17"
    left = declared.rows(), declared.state()
    assert left == declared.alone()


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(0, marks=pytest.mark.more),
        *(pytest.param(one, marks=pytest.mark.long) for one in range(1, 8)),
    ],
)
def test_wherever_a_shard_is_killed(declared: Declared, seed: int) -> None:
    """Any shard, at any point: started again, what it lacked is there, once."""
    killed_somewhere(declared, seed)
