"""pipelines/dagster_conversync.py as Dagster runs it: days as partitions, a check, retries only where they may help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Fault
from tests.orchestration.conftest import Run
from tests.process.support import ROOT, Place

pytestmark = pytest.mark.orchestration
# What a person's own script does with the definitions, without a server.
SCRIPT = """
import json, sys
sys.path.insert(0, {folder!r})
import dagster as dg
import dagster_conversync as ours

first, last = sys.argv[1:]
asset = ours.defs.resolve_assets_def("besitos")
with dg.DagsterInstance.ephemeral() as instance:
    tags = {{"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}}
    done = dg.materialize([asset], instance=instance, tags=tags, raise_on_error=False)
    failures = [event.event_specific_data.error.to_string() for event in done.all_events if event.is_step_failure]
    retries = [event.event_type_value for event in done.all_events if event.is_step_up_for_retry]
    print("TOLD", json.dumps({{
        "good": done.success, "failures": failures, "retries": len(retries),
        "days": len(done.asset_materializations_for_node("besitos")),
        "whole": [one.passed for one in done.get_asset_check_evaluations()],
    }}))
"""


def told(scheduler: Run, place: Place, first: str, last: str) -> dict[str, Any]:
    """Materializes these days of besitos; what Dagster says of it."""
    script = SCRIPT.format(folder=str(ROOT / "pipelines"))
    home = place.folder / "dagster"
    home.mkdir(exist_ok=True)
    done = scheduler("dagster", "python", "-c", script, first, last, DAGSTER_HOME=str(home))
    [line] = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")] or [done.stderr]
    found: dict[str, Any] = json.loads(line.removeprefix("TOLD "))
    return found


def test_a_range_of_days_is_one_exact_load_with_its_check(place: Place, scheduler: Run) -> None:
    """Every day of the world: the oracle's statements, a partition a day, and a check that passes."""
    world = place.sandbox.world
    first, last = world.day(-1).date(), world.now.date()
    found = told(scheduler, place, str(first), str(last))
    assert (found["good"], found["failures"], found["whole"]) == (True, [], [True]), found
    assert found["days"] == (last - first).days + 1
    assert place.held() == place.expected()


def test_refused_credentials_fail_at_once_and_in_words(place: Place, scheduler: Run) -> None:
    """No retry helps there: the asset has failed, with the sentence of the command."""
    place.env["BESITOS_TOKEN"] = "another"
    found = told(scheduler, place, "2024-12-01", "2024-12-02")
    assert (found["good"], found["retries"]) == (False, 0), found
    assert "conversync load ended with 5" in found["failures"][0]


def test_a_vendor_that_is_down_is_tried_again_later(place: Place, scheduler: Run, tmp_path: Path) -> None:
    """Exit 6 is one of those that may end well a while later."""
    place.env["HTTP_BUDGET"] = "1"
    fault = place.sandbox.faults.add(Fault(status=503))
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'pipelines')!r})\n"
        "import dagster as dg, dagster_conversync as ours\n"
        "try: ours.conversync(dg.build_op_context(), 'load', 'besitos', '--from', '2024-12-01', '--to', '2024-12-02')\n"
        "except dg.Failure as failure: print('TOLD', failure.allow_retries, failure.description)\n"
    )
    done = scheduler("dagster", "python", "-c", script, DAGSTER_HOME=str(tmp_path))
    assert fault.delivered
    assert "TOLD True conversync load ended with 6: " in done.stdout, done.stderr
