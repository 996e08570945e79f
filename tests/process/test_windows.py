"""C22, as far as one source has it: what a window brought stays when a later one fails, and the next run goes on."""

from __future__ import annotations

import pytest

from conversync.sandbox import Fault
from tests.besitos.changes import from_the_reversals_on
from tests.process.support import FEED, Place, reads_at_once


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(path=FEED, query={"is_reverse": "true"}, status=401), 5),
        (Fault(path=FEED, where=from_the_reversals_on(), status=503), 6),
        (Fault(path=FEED, where=from_the_reversals_on(), html=True), 6),
    ],
    ids=["C22-refused", "C22-down", "C22-login-page"],
)
def test_c22_windows_before_a_failure_are_loaded(place: Place, fault: Fault, code: int) -> None:
    """The failing window's code, a sentence, and the conversions of the window before it; then a right run."""
    place.env["HTTP_BUDGET"] = "0"
    place.sandbox.faults.add(fault)
    place.load().refused(code, "Besitos", "before it", "loaded; the same command reads all of its days again")
    assert fault.delivered
    assert place.held() == place.sandbox.besitos.oracle.held(place.sandbox.besitos.reads[:1])
    if code == 5:
        return
    place.sandbox.faults.clear()
    place.loaded()
    assert place.held() == place.sandbox.besitos.oracle.held(reads_at_once(place.sandbox.besitos.reads))


def test_c22_what_is_due_goes_on_where_it_failed(place: Place) -> None:
    """Without dates the cursor says where; a run that is given its first day begins there whenever it is run."""
    place.sandbox.faults.add(Fault(path=FEED, query={"is_reverse": "true"}, status=401))
    place.run("load", "besitos").refused(5, "before it", "loaded; the next run goes on there.")
