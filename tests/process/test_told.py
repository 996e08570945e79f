"""What a run and a check print: words for a person, and figures of what was read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from conversync.sandbox.front import Variants
from tests.process.support import Place


@pytest.mark.more
def test_c22_a_source_that_failed_before_it_read_anything_has_no_line_of_zeros(place: Place) -> None:
    """The sentence alone; beside a source that was read, that one's line, and no other."""
    token = place.env["BESITOS_TOKEN"]
    place.env["BESITOS_TOKEN"] = "revoked"
    done = place.load()
    done.refused(5, "besitos: ")
    assert done.out == ""
    place.env["BESITOS_TOKEN"] = token
    sandbox = place.sandbox
    place.env |= {
        "CONDUCTRICS_URL": sandbox.url,
        "CONDUCTRICS_API_KEY": "revoked",
        "CONDUCTRICS_ACCOUNT": sandbox.conductrics.account,
    }
    days = place.days[2:]
    done = place.run("load", *days)
    done.refused(5, "conductrics: ")
    assert [line.split()[0] for line in done.out.splitlines() if line.split()[1:]][:3] == [
        "source",
        "besitos",
        "Warehouse:",
    ]


def test_c22_the_same_as_json(place: Place) -> None:
    """For a program every source has its figures, those that failed, too."""
    place.env["BESITOS_TOKEN"] = "revoked"
    done = place.load("--log-format", "json")
    [source] = json.loads(done.out)["sources"]
    assert (source["dataset"], source["read"], source["exit_code"]) == ("besitos", 0, 5)


def test_k03_check_prints_settings_as_a_person_writes_them(place: Place) -> None:
    """`true`, a list as TOML has it, and "not set" for what is not; a secret that is set is masked."""
    sandbox = place.sandbox
    place.env |= {
        "KEITARO_URL": sandbox.url,
        "KEITARO_API_KEY": sandbox.keitaro.api_key,
        "BESITOS_REVERSAL_TAKES_PAYOUT": "true",
    }
    done = place.run("check", "besitos", "keitaro")
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in done.out.splitlines() if line.strip()}
    assert shown["besitos_reversal_takes_payout"] == "true the environment"
    assert shown["besitos_withdrawn_counts"] == "true default"
    assert shown["besitos_partner_id"] == "not set default"
    assert shown["besitos_token"].startswith("****")
    assert shown["keitaro_report_grouping"].startswith('["day", "campaign_id"')
    assert not {"None", "True", "False"} & set(done.out.split())


@pytest.mark.more
def test_s14_a_vendor_whose_clock_was_moved_on_is_behind_no_more(place: Place) -> None:
    """The sandbox tells its clock: a machine two days behind it says so, and ends with 3."""
    world = place.sandbox.world
    place.sandbox.server.variants = Variants(date="clock")
    world.now = datetime.now(UTC) + timedelta(days=2)
    done = place.load()
    assert done.code == 3, done.told
    assert "days behind the vendor's" in done.told
    world.now = datetime.now(UTC)
    assert place.load().code == 0
