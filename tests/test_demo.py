"""The demo tells the same story wherever its tables are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.dbt.cluster import Cluster, binary
from tests.report.pages import alike
from tests.support import CONVERSYNC

PLACES = ("duckdb", "postgres")
# Where what is said of the place begins.
CLOSING = {"duckdb": "The copy for readers is", "postgres": "The tables are in the database."}


def begun(place: str, folder: Path, database: Cluster) -> subprocess.Popen[str]:
    """A demo that runs there, with the server's credentials as dlt reads them."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [CONVERSYNC, "demo", "--destination", place],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DESTINATION__POSTGRES__CREDENTIALS": database.url,
            "COLUMNS": "200",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.more
@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_the_demo_on_a_server_ends_with_the_same_totals_and_the_same_page(
    database: Cluster, tmp_path: Path
) -> None:
    """Every line of the story and every figure of the page; a second one does not run into the first one's tables."""
    demos = {place: begun(place, tmp_path / place, database) for place in PLACES}
    told = {place: demo.communicate(timeout=900)[0] for place, demo in demos.items()}
    assert [demo.returncode for demo in demos.values()] == [0, 0], told
    one, other = (told[place].partition(CLOSING[place])[0].splitlines() for place in PLACES)
    assert one == other
    assert len(one) > 40
    assert not any("NOT EQUAL" in line for line in one)
    pages = [alike(tmp_path / place / "demo" / "published" / "report.html") for place in PLACES]
    assert pages[0].splitlines() == pages[1].splitlines()
    again = begun("postgres", tmp_path / "postgres", database)
    said = again.communicate(timeout=60)[0]
    assert (again.returncode, "The demo wants a database of its own" in said) == (2, True), said
    assert database.ask("select count(*) > 0 from marts.conversions") == [(True,)]
