"""All vendors on one port: their settings, the command that prints them, and control from other processes."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.command import set_variants
from tests.sandbox.asking import call, conductrics, control, infobip, keitaro

SETTINGS = [
    "BESITOS_URL",
    "BESITOS_TOKEN",
    "BESITOS_PARTNER_ID",
    "KEITARO_URL",
    "KEITARO_API_KEY",
    "KEITARO_POSTBACK_KEY",
    "INFOBIP_URL",
    "INFOBIP_USERNAME",
    "INFOBIP_PASSWORD",
    "INFOBIP_PAIRS",
    "CONDUCTRICS_URL",
    "CONDUCTRICS_API_KEY",
    "CONDUCTRICS_ACCOUNT",
    "OPTIBASE_URL",
    "OPTIBASE_PUBLIC_API_KEY",
]


def test_the_settings_open_every_vendor() -> None:
    """Each is what the vendor listens to."""
    with Sandbox(World(days=2)) as sandbox:
        settings = sandbox.settings()
        assert list(settings) == SETTINGS
        assert settings.pop("OPTIBASE_URL") == f"{sandbox.url}/api/script/conversionEvent"
        assert {value for name, value in settings.items() if name.endswith("_URL")} == {sandbox.url}
        assert keitaro(sandbox, "campaigns", **{"Api-Key": settings["KEITARO_API_KEY"]}).status == 200
        assert call(sandbox, "GET", f"/{settings['KEITARO_POSTBACK_KEY']}/postback?subid=s", {}).status == 200
        pairs = json.loads(settings["INFOBIP_PAIRS"])
        assert [list(pair) for pair in pairs] == [["process_key", "start_tag", "end_tag"]] * 3
        path = f"/1/conversion-rate/process/{pairs[0]['process_key']}/statistics/conversion-rate"
        assert infobip(sandbox, path).status == conductrics(sandbox, "goals").status == 200


def test_the_command_prints_all_settings_for_a_shell() -> None:
    """Evaluated by a shell, JSON and blanks survive."""
    command = [
        sys.executable,
        "-m",
        "conversync.sandbox",
        "--days",
        "3",
        "--variant",
        "keitaro.generation=old",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(len(SETTINGS) + 5)]
    process.terminate()
    assert process.wait(5) == 0
    process.communicate()
    exports = [shlex.split(line)[1].partition("=") for line in lines if line.startswith("export ")]
    settings = {name: value for name, _, value in exports}
    assert list(settings) == SETTINGS
    assert settings["INFOBIP_PASSWORD"] == "open sesame"
    assert len(json.loads(settings["INFOBIP_PAIRS"])) == 3
    assert all(line.startswith(("export ", "#")) for line in lines)


def test_variants_of_any_vendor_as_text() -> None:
    """Without a vendor's name they are Besitos'; what does not exist is refused."""
    sandbox = Sandbox(World(days=1))
    set_variants(
        sandbox, ["order=newest", "keitaro.omits=tid,offer", "infobip.zone=+0200", "conductrics.empty=once"]
    )
    assert sandbox.besitos.variants.order == "newest"
    assert sandbox.keitaro.variants.omits == {"tid", "offer"}
    assert sandbox.infobip.variants.zone == "+0200"
    assert sandbox.conductrics.variants.empty == "once"
    for wrong in ("keitaro.order=newest", "optibase.x=1", "keitaro.page_cap=many"):
        with pytest.raises(ValueError, match=r"variant|vendor|many"):
            set_variants(sandbox, [wrong])
    sandbox.stop()


def test_another_process_may_ask_every_oracle() -> None:
    """Totals of each, and on demand all that must be held."""
    with Sandbox(World(days=5)) as sandbox:
        told = control(sandbox, "oracle")
        assert told["keitaro"]["events"] == len(sandbox.keitaro.oracle.events())
        assert told["keitaro"]["revenue"] == str(sum(sandbox.keitaro.oracle.revenue_by_tid().values()))
        assert told["conductrics"]["goals"] == len(sandbox.conductrics.oracle.goals())
        assert [pair["start_tag"] for pair in told["infobip"]["pairs"]] == ["START"] * 3
        assert "statements" not in told["keitaro"]
        full = control(sandbox, "oracle?statements=1")
    assert [one["conversion_id"] for one in full["keitaro"]["statements"]] == list(
        sandbox.keitaro.oracle.events()
    )
    assert {one["code"] for one in full["conductrics"]["statements"]} == set(
        sandbox.conductrics.oracle.goals()
    )
    days = full["infobip"]["pairs"][0]["days"]
    assert sum(day["start_count"] for day in days) == full["infobip"]["pairs"][0]["start_count"] > 0
    assert full["keitaro"]["days"][0].keys() > {"day", "campaign_id", "revenue"}


def test_another_process_may_script_every_vendor() -> None:
    """Variants and rows in, what was received out; one wrong wish changes nothing."""
    with Sandbox(World(days=2)) as sandbox:
        told = control(sandbox, "variants", {"keitaro": ["generation=old"], "conductrics": ["unset=null"]})
        assert (told["keitaro"]["generation"], told["keitaro"]["omits"]) == ("old", [])
        assert sandbox.conductrics.variants.unset == "null"
        wrong = control(sandbox, "variants", {"keitaro": ["generation=new"], "infobip": ["order=sideways"]})
        assert "oldest, newest" in wrong["error"]
        assert sandbox.keitaro.variants.generation == "old"
        rows = {"keitaro": [{"conversion_id": 1}], "conductrics": [{"code": "a"}], "infobip": None}
        assert control(sandbox, "rows", rows) == {"keitaro": 1, "conductrics": 1, "infobip": None}
        assert keitaro(sandbox, "conversions/log", {}).json()["rows"] == [{"conversion_id": 1}]
        assert control(sandbox, "rows", {"optibase": []})["error"].startswith("no vendor")
        keitaro(sandbox, "conversions", {"click_id": "c", "revenue": 1.5})
        received: dict[str, Any] = control(sandbox, "received")
    assert received["keitaro"][0]["fields"] == {"click_id": "c", "revenue": 1.5}
    assert received["infobip"] == received["conductrics"] == received["optibase"] == []


def test_a_wrong_variant_is_refused_before_anything_is_served() -> None:
    """And no port stays taken."""
    from conversync.sandbox import serve

    out = io.StringIO()
    with pytest.raises(ValueError, match="no variant"):
        serve(variants=["keitaro.colour=red"], out=out)
    assert out.getvalue() == ""
