"""C04: SIGTERM and SIGINT at every stage of a run end it soon, with their own code, and harm nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import pytest

from sandbox import Fault
from tests.process.support import CONVERSYNC, Forked, Place

FEED = "/data/partner/conversions"
# The promise is 30 s; nothing here needs the last resort, which comes after 20.
SOON = 15.0


@dataclass
class Moment:
    """Calls off a wait as soon as the sandbox delivers a fault."""

    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.reached.set()

    def wait(self) -> None:
        assert self.reached.wait(60), "the fault was never delivered"


STAGES = {
    "first-page-silent": {"page": 1, "delay": 60.0},
    "later-pages-silent": {"page": 3, "delay": 60.0},
    "body-stalls": {"page": 2, "stall_after": 100},
    "body-drips": {"page": 1, "slow_bytes_per_second": 50.0},
    "vendor-asks-to-wait": {"page": 2, "status": 429, "headers": {"Retry-After": "200"}},
    "second-window": {"page": 1, "query": {"is_reverse": "true"}, "delay": 60.0},
}


def stopped(run: Forked, number: int) -> None:
    """Sends the signal; the run ends soon, says so in a sentence, and ends with 128 + number."""
    run.signal(number)
    began = time.monotonic()
    ended = run.wait()
    assert time.monotonic() - began < SOON
    assert ended.code == 128 + number, ended.sentences
    assert f"stopped by {signal.Signals(number).name}" in ended.err
    assert "Traceback" not in ended.sentences


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["143", "130"])
def test_c04_while_the_vendor_is_slow(place: Place, stage: str, number: int) -> None:
    """Whatever the vendor keeps us waiting with, no page on its way holds up the end; the next run is right."""
    if (stage, number) not in DEFAULT:
        pytest.skip("one signal a stage is enough")
    moment = Moment()
    fault = place.sandbox.faults.add(Fault(path=FEED, action=moment, **STAGES[stage]))  # type: ignore[arg-type]
    place.env["SOURCES__BESITOS__BESITOS_PAGE_SIZE"] = "50"
    run = place.begin()
    moment.wait()
    time.sleep(0.1)
    stopped(run, number)
    assert fault.delivered
    place.sandbox.faults.clear()
    healed = place.load()
    assert healed.code == 0, healed.sentences
    assert place.held() == place.sandbox.besitos.oracle.held(place.sandbox.besitos.reads[-1:])
    assert place.leftovers() == []
