"""C21: where nobody reads what a run prints, or nothing can be printed, the run is not affected."""

from __future__ import annotations

import pytest

from tests.process.support import Place


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        pytest.param("closed", "closed", id="C21-closed"),
        pytest.param("broken", "broken", id="C21-pipe-broken"),
        pytest.param("", "closed", id="C21-errors-closed", marks=pytest.mark.long),
        pytest.param("/dev/full", "/dev/full", id="C21-log-disk-full", marks=pytest.mark.long),
    ],
)
def test_c21_nobody_reads(place: Place, stdout: str, stderr: str) -> None:
    """Exit 0, the tables equal to the oracle; and nothing that was printed got into the warehouse's file."""
    done = place.load("--debug", stdout=stdout, stderr=stderr)
    assert done.code == 0
    assert place.held() == place.expected()
    assert b"Warehouse: " not in place.warehouse.read_bytes()
    assert b"conversync.wire" not in place.warehouse.read_bytes()


def test_c21_a_refusal_that_nobody_reads_keeps_its_code(place: Place) -> None:
    """The exit code is what a script has left."""
    place.env["BESITOS_TOKEN"] = ""
    for stream in ("closed", "broken", "/dev/full"):
        assert place.load(stdout=stream, stderr=stream).code == 2
