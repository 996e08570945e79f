"""`conversync alert`: a person is told, by a program or an address of theirs, and no secret is."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from conversync.sandbox import Fault
from tests.besitos.rows import row
from tests.health.support import Workspace, change, program, run, webhook

TOKEN = "/services/T0/very-secret-path"


@pytest.fixture
def troubled(house: Workspace) -> Workspace:
    """A load with a row set aside and a new field, a day and more ago for everything but these."""
    house.sandbox.besitos.rows = [row(1, reward="much"), row(2, colour="red")]
    house.run("2024-12-01", "2024-12-08")
    return house


def test_a_program_is_given_the_json_and_none_of_our_secrets(troubled: Workspace) -> None:
    """On standard input, without a shell, quoted words kept whole; no vendor's setting is in its environment."""
    command, place = program(troubled.folder)
    ended = run(troubled, "alert", CONVERSYNC_ALERT_COMMAND=command + " '$(touch x); *'", OWN="kept")
    assert ended.code == 0, ended.err
    told = json.loads(place.read_text())
    assert told == json.loads(ended.out)
    assert (told["event"], told["version"], told["test"], told["exit_code"]) == ("alert", 1, False, None)
    assert {one["kind"]: one["source"] for one in told["problems"]} == {
        "new_fields": "besitos",
        "rejected": "besitos",
    }
    assert all(one["text"] in told["text"] for one in told["problems"])
    environment = Path(f"{place}.env").read_text()
    assert "OWN=kept" in environment
    assert "BESITOS" not in environment
    assert troubled.sandbox.token not in place.read_text() + ended.out + ended.err + environment
    assert not (troubled.folder / "x").exists()


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    "name",
    [
        "DESTINATION__POSTGRES__CREDENTIALS",
        "DESTINATION__POSTGRES__CREDENTIALS__PASSWORD",
        "DESTINATION__CREDENTIALS",
        "POSTGRES__CREDENTIALS",
        "CONVERSYNC_BESITOS__DESTINATION__POSTGRES__CREDENTIALS",
        "CREDENTIALS__PASSWORD",
        "CREDENTIALS",
        "PASSWORD",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "Token",
    ],
)
def test_l09_a_program_is_given_no_credentials_of_dlts(troubled: Workspace, name: str) -> None:
    """In no spelling of dlt's, nor what is called a password, nor a copy of one. What is the user's own stays."""
    command, place = program(troubled.folder)
    value = (
        "postgresql://loader:hunter2hunter2@db.example/x"
        if name.endswith("CREDENTIALS")
        else "hunter2hunter2"
    )
    own = {"OWN": "kept", "CONVERSYNC_WAREHOUSE": str(troubled.path), "COPIED": "as hunter2hunter2 is"}
    own["SLACK_TOKEN"] = "its-own"
    ended = run(troubled, "alert", "--test", CONVERSYNC_ALERT_COMMAND=command, **{name: value}, **own)
    assert ended.code == 0, ended.err
    environment = Path(f"{place}.env").read_text().splitlines()
    assert not [line for line in environment if "hunter2" in line]
    assert {"OWN=kept", "SLACK_TOKEN=its-own", f"CONVERSYNC_WAREHOUSE={troubled.path}"} <= set(environment)
    assert any(line.startswith("PATH=") for line in environment)


def test_l06_a_program_makes_files_as_it_always_did(troubled: Workspace) -> None:
    """That what we write is ours alone is nothing for a program of the user's: it has the umask that we had."""
    command, place = program(troubled.folder)
    assert run(troubled, "alert", "--test", CONVERSYNC_ALERT_COMMAND=command).code == 0
    assert stat.S_IMODE(place.stat().st_mode) == 0o644


def test_an_address_is_posted_the_json_and_never_told_in_full(troubled: Workspace) -> None:
    """From the environment or secrets.toml, with its path and query; neither is printed, also where it fails."""
    with webhook() as hook:
        ended = run(troubled, "alert", CONVERSYNC_ALERT_WEBHOOK=f"{hook.url}{TOKEN}?sig=hush+1")
        assert ended.code == 0, ended.err
        assert hook.posted == [(f"{TOKEN}?sig=hush+1", json.loads(ended.out))]
        hook.status = 404
        failed = run(troubled, "alert", CONVERSYNC_ALERT_WEBHOOK=f"{hook.url}{TOKEN}?sig=hush+1")
    assert failed.code == 1
    assert "127.0.0.1, the host in alert_webhook, answered 404" in failed.err
    for secret in ("very-secret", "hush"):
        assert secret not in ended.out + ended.err + failed.out + failed.err


def test_a_redirect_is_not_followed(troubled: Workspace) -> None:
    """What a person configured gets it, and nobody else."""
    with webhook() as other, webhook(302, {"Location": f"{other.url}/elsewhere"}) as hook:
        ended = run(troubled, "alert", CONVERSYNC_ALERT_WEBHOOK=hook.url)
        assert (ended.code, other.posted) == (1, [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CONVERSYNC_ALERT_WEBHOOK": "http://hooks.example.com/x"}, "alert_webhook"),
        ({"CONVERSYNC_ALERT_WEBHOOK": "https://user:hush@hooks.example.com"}, "alert_webhook"),
        pytest.param({"CONVERSYNC_ALERT_COMMAND": "tell 'us"}, "alert_command", marks=pytest.mark.long),
        pytest.param({"CONVERSYNC_ALERT_DROP_PCT": "-1"}, "alert_drop_pct", marks=pytest.mark.long),
    ],
)
def test_a_setting_that_cannot_be_meant_is_told(
    house: Workspace, settings: dict[str, str], words: str
) -> None:
    """Exit 2 and the name of the setting; plain http leads to this machine only."""
    ended = run(house, "alert", "--test", **settings)
    assert ended.code == 2
    assert words in ended.err
    assert "hush" not in ended.err


def test_an_address_in_config_toml_is_told_to_move(house: Workspace) -> None:
    """It is a secret, and config.toml is not for secrets; from secrets.toml it works."""
    folder = house.folder / ".dlt"
    folder.mkdir()
    with webhook() as hook:
        (folder / "config.toml").write_text(f'alert_webhook = "{hook.url}"\n')
        assert "move it from .dlt/config.toml to .dlt/secrets.toml" in run(house, "alert", "--test").err
        (folder / "config.toml").rename(folder / "secrets.toml")
        (folder / "secrets.toml").chmod(0o600)
        assert run(house, "alert", "--test").code == 0
        [(_, told)] = hook.posted
    assert (told["test"], told["problems"][0]["kind"]) == (True, "failure")


def test_a_program_that_fails_or_is_missing_is_said(house: Workspace) -> None:
    """Exit 1 of the command alert and a sentence; with nothing set it prints, and says that nobody is told."""
    command, _ = program(house.folder, code=7)
    ended = run(house, "alert", "--test", CONVERSYNC_ALERT_COMMAND=command)
    assert (ended.code, "ended with exit code 7" in ended.err) == (1, True)
    missing = run(house, "alert", "--test", CONVERSYNC_ALERT_COMMAND="/no/such/program")
    assert (missing.code, "could not be started" in missing.err) == (1, True)
    nobody = run(house, "alert", "--test")
    assert (nobody.code, json.loads(nobody.out)["event"], "nobody is told" in nobody.err) == (
        0,
        "alert",
        True,
    )


def test_nothing_is_told_where_nothing_is_wrong(house: Workspace) -> None:
    """A fresh, whole warehouse is no news; stale, it is."""
    house.load("2024-12-01", "2024-12-08")
    house.sandbox.faults.add(Fault(status=500))
    command, place = program(house.folder)
    ended = run(house, "alert", CONVERSYNC_ALERT_COMMAND=command)
    assert (ended.code, ended.out, place.exists()) == (0, "Nothing to tell.\n", False)
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 2 day")
    assert run(house, "alert", "--dry-run", CONVERSYNC_ALERT_COMMAND=command).code == 0
    assert not place.exists()
    assert run(house, "alert", CONVERSYNC_ALERT_COMMAND=command).code == 0
    assert [one["kind"] for one in json.loads(place.read_text())["problems"]] == ["stale"]


def test_m08_days_that_were_never_read_are_told(house: Workspace) -> None:
    """With the command that reads them: what `status --strict` ends with 3 for, the alert tells."""
    house.load("2024-12-01", "2024-12-03")
    house.load("2024-12-06", "2024-12-08")
    [problem] = json.loads(run(house, "alert", "--dry-run").out)["problems"]
    assert problem["days"] == ["2024-12-03", "2024-12-04", "2024-12-05"]
    assert "conversync load besitos --from 2024-12-03 --to 2024-12-06" in problem["text"]
