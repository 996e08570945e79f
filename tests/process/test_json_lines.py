"""Where JSON logs are asked for, whatever stands on standard error is JSON: an object a line, and no secret in it."""

from __future__ import annotations

import json
from typing import Any

from conversync.sandbox import Fault
from tests.process.support import Done, Place

JSON = ("--log-format", "json")


def objects(done: Done, secret: str) -> list[dict[str, Any]]:
    """The lines of a run's standard error, each of which is one."""
    found = [json.loads(line) for line in done.err.splitlines()]
    assert all(isinstance(one, dict) for one in found)
    assert secret not in done.told
    return found


def test_l05_every_line_of_a_json_log_is_json(place: Place) -> None:
    """Windows, warnings, tracebacks, what dlt and the client log, a night whose vendor fails, wrong arguments."""
    (place.folder / ".dlt").mkdir(mode=0o700)
    settings = place.folder / ".dlt" / "config.toml"
    settings.write_text("besitos_lookback_days = 7\n")
    settings.chmod(0o666)
    place.env |= {
        "HTTP_BUDGET": "0",
        "KEITARO_URL": place.sandbox.url,
        "KEITARO_POSTBACK_KEY": "p0stback-key",
    }
    secret = place.sandbox.token
    for argv, code in (
        ([*place.days, "--debug"], 0),
        (["status"], 0),
        (["send", "keitaro", "--from", "select 1 as send_key", "--dry-run", "--debug"], 2),
        (["load", "besitos", "--windoe", "3"], 2),
    ):
        done = place.run(*argv, *JSON)
        assert done.code == code, done.told
        assert objects(done, secret) or argv == ["status"]
    done = place.load("--debug", *JSON, at=40, number=0)
    assert done.code == 1
    assert any("an error that nobody expects" in str(one) for one in objects(done, secret)), done.told
    words = json.dumps({"message": f"no {secret} here\n\x1b[2J"}).encode()
    place.sandbox.faults.add(Fault(path="/data/partner/conversions", status=401, body=words))
    done = place.run("nightly", "besitos", "--no-build", "--no-send", "--no-report", "--debug", *JSON)
    assert done.code == 5, done.told
    assert objects(done, secret)
