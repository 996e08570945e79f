"""`conversync init`: a project that works, whose secrets only its owner can read."""

from __future__ import annotations

import os
import pty
import select
import shutil
import stat
import subprocess
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.health.support import forked
from tests.nightly.support import Project
from tests.process.support import ROOT, ProcessPool
from tests.support import CONVERSYNC


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_empty_folder_becomes_a_project_that_check_can_read(project: Project) -> None:
    """From the environment: secrets in a file of mode 0600 and nowhere else, the rest in config.toml, as typed."""
    ended = forked(project.nursery, project.folder, project.vendors, "init", "--yes", "--systemd", "--dbt")
    assert ended.code == 0, ended.err
    secrets, config = (project.folder / ".dlt" / name for name in ("secrets.toml", "config.toml"))
    assert (mode(secrets), mode(config)) == (0o600, 0o600)
    told = tomllib.loads(secrets.read_text())["sources"]
    assert told["besitos"] == {"besitos_token": project.sandbox.token}
    assert tomllib.loads(config.read_text())["http_budget"] == 0
    plain = tomllib.loads(config.read_text())["sources"]
    assert plain["infobip"]["infobip_pairs"] == project.sandbox.infobip.pairs
    written = [path for path in project.folder.rglob("*") if path.is_file() and path != secrets]
    everything = "".join(path.read_text() for path in written) + ended.out + ended.err
    for secret in (project.sandbox.token, project.sandbox.infobip.password, project.sandbox.keitaro.api_key):
        assert secret in secrets.read_text()
        assert secret not in everything
    checked = project.run("check")
    assert checked.code in (0, 3), checked.err  # 3: the small world's newest rows lie in the vendor's future
    for source in ("besitos", "infobip", "conductrics", "keitaro"):
        assert f"ok   {source}: " in checked.out
    assert "secrets.toml" in checked.out
    assert checked.err == ""


OF_EVERY_KIND = {
    "SOURCES__BESITOS__BESITOS_TOKEN": "abc-123",
    "SOURCES__BESITOS__BESITOS_START_DATE": "2024-01-01",
    "BESITOS_PARTNER_ID": "me",
    "INFOBIP_USERNAME": "aladdin",
    "INFOBIP_PASSWORD": "sesame",
    "INFOBIP_PAIRS": '[{"process_key": "p"}]',
    "KEITARO_URL": "https://tracker.example.com",
    "KEITARO_POSTBACK_KEY": "post-456",
    "KEITARO_API_KEY": "key-789",
    "OPTIBASE_PUBLIC_API_KEY": "opt-123",
    "OPTIBASE_URL": "https://optibase.example.com/x",
    "HTTP_BUDGET": "60",
    "SEND_RATE": "5/s",
    "SEND_MAX_ROWS": "7",
    "SEND__KEITARO__SEND_MISSING": "ignore",
    "SEND__KEITARO__CONVERSIONS__FROM": "besitos",
    "CONVERSYNC_ALERT_STALE_HOURS": "30",
    "CONVERSYNC_ALERT_WEBHOOK": "https://hooks.example.com/x",
    "CONVERSYNC_PROXY": "http://jane:secret@proxy:3128",
    "CONVERSYNC_PUBLISHED": "off",
}
SECRET = {
    "alert_webhook": "https://hooks.example.com/x",
    "proxy": "http://jane:secret@proxy:3128",
    "sources": {
        "besitos": {"besitos_token": "abc-123"},
        "infobip": {"infobip_password": "sesame"},
        "keitaro": {"keitaro_postback_key": "post-456", "keitaro_api_key": "key-789"},
        "optibase": {"optibase_public_api_key": "opt-123"},
    },
}
PLAIN = {
    "published": "off",
    "alert_stale_hours": 30,
    "http_budget": 60,
    "sources": {
        "besitos": {"besitos_start_date": "2024-01-01", "besitos_partner_id": "me"},
        "infobip": {"infobip_username": "aladdin", "infobip_pairs": [{"process_key": "p"}]},
        "keitaro": {"keitaro_url": "https://tracker.example.com"},
        "optibase": {"optibase_url": "https://optibase.example.com/x"},
    },
    "send": {
        "send_rate": "5/s",
        "send_max_rows": 7,
        "keitaro": {"send_missing": "ignore", "conversions": {"from": "besitos"}},
    },
}


def test_a06_all_that_the_environment_gives_goes_where_it_belongs(
    tmp_path: Path, nursery: ProcessPool
) -> None:
    """Of sources, targets, sends and the project: each in its section, as its own kind, the secrets in their file."""
    ended = forked(nursery, tmp_path, OF_EVERY_KIND, "init", "--yes")
    assert (ended.code, "still lacks" in ended.out) == (0, False), ended.err
    secrets, config = (tmp_path / ".dlt" / name for name in ("secrets.toml", "config.toml"))
    assert tomllib.loads(secrets.read_text()) == SECRET
    assert tomllib.loads(config.read_text()) == {"warehouse": "warehouse.duckdb", **PLAIN}
    assert forked(nursery, tmp_path, {}, "load", "--dry-run").code == 0
    assert "Out of the environment into these files: alert_stale_hours, alert_webhook, " in ended.out
    again = forked(nursery, tmp_path, OF_EVERY_KIND, "init", "--yes").out
    assert (again.count("has all of it already"), "Out of the environment" in again) == (2, False)


def test_a06_in_our_own_files_each_stands_below_its_example(tmp_path: Path, nursery: ProcessPool) -> None:
    """Line by line: below the comment that shows it, or at the end of its own section, never below another's header."""
    folder = tmp_path / ".dlt"
    folder.mkdir()
    shutil.copy(ROOT / ".dlt" / "config.toml", folder)
    shutil.copy(ROOT / ".dlt" / "example.secrets.toml", folder / "secrets.toml")
    before = (folder / "config.toml").read_text().splitlines()
    ended = forked(nursery, tmp_path, OF_EVERY_KIND, "init", "--yes")
    assert ended.code == 0, ended.err
    after = (folder / "config.toml").read_text().splitlines()
    assert [line for line in after if line and line in before] == [line for line in before if line]
    new = [place for place, line in enumerate(after) if line not in before and "=" in line]
    shown = {after[place].partition(" ")[0]: after[place - 1] for place in new}
    for name in ("published", "alert_stale_hours", "besitos_start_date", "besitos_partner_id", "keitaro_url"):
        assert shown[name].startswith(f"# {name} = "), shown[name]
    for name in ("optibase_url", "send_rate"):
        assert shown[name].startswith(f"# {name} = "), shown[name]
    assert shown["infobip_pairs"].startswith("infobip_lookback_days = 30")
    told = tomllib.loads((folder / "config.toml").read_text())
    assert told["sources"]["optibase"] == PLAIN["sources"]["optibase"]  # type: ignore[index]
    assert told["send"] == {**PLAIN["send"], "send_max_rows": 7}  # type: ignore[dict-item]
    assert told["http_budget"] == 600, "what a file says stays"
    secrets = sections(tmp_path, "secrets")
    assert secrets["infobip"] == {"infobip_username": "aladdin", "infobip_password": "sesame"}
    for name in ("besitos", "keitaro", "optibase"):
        assert secrets[name] == SECRET["sources"][name]  # type: ignore[index]


def test_a06_what_is_written_oddly_is_merged_all_the_same(tmp_path: Path, nursery: ProcessPool) -> None:
    """Dotted names, tables in a line, lists over lines, no line break at the end: the same values, nothing lost."""
    folder = tmp_path / ".dlt"
    folder.mkdir()
    odd = 'alert_command = """\n[sources.besitos]\n"""\nsources.keitaro.keitaro_zone = "UTC"\n'
    (folder / "config.toml").write_text(odd + "send = {send_max_rows = 3}")
    ended = forked(nursery, tmp_path, OF_EVERY_KIND, "init", "--yes")
    assert ended.code == 0, ended.err
    told = tomllib.loads((folder / "config.toml").read_text())
    assert told["alert_command"] == "[sources.besitos]\n"
    assert told["sources"]["keitaro"] == {"keitaro_zone": "UTC", "keitaro_url": "https://tracker.example.com"}
    assert told["sources"]["besitos"] == PLAIN["sources"]["besitos"]  # type: ignore[index]
    assert (told["send"]["send_max_rows"], told["send"]["send_rate"]) == (3, "5/s")


def test_a06_a_source_that_is_not_named_is_not_set_up(tmp_path: Path, nursery: ProcessPool) -> None:
    """Its settings would make every night load it: they are left out, and told; a target's are written."""
    ended = forked(nursery, tmp_path, OF_EVERY_KIND, "init", "--yes", "--source", "besitos")
    assert set(sections(tmp_path, "config")) | set(sections(tmp_path, "secrets")) == {"besitos", "optibase"}
    assert "--source keitaro writes them" in ended.out


def test_the_cron_line_and_the_units_name_folder_command_and_time(
    tmp_path: Path, nursery: ProcessPool
) -> None:
    """A folder with a space is quoted as each of them wants it; hours and minutes stand where they belong."""
    folder = tmp_path / "a night"
    folder.mkdir()
    asked = ("init", "--yes", "--source", "besitos", "--systemd", "--dbt", "--at", "23:05")
    ended = forked(nursery, folder, {"BESITOS_TOKEN": "abc-123"}, *asked)
    assert f"5 23 * * *  cd '{folder}' && {CONVERSYNC} nightly --wait 30m" in ended.out.splitlines()
    service = (folder / "systemd" / "conversync.service").read_text()
    assert f"WorkingDirectory={folder}\n" in service
    assert f'ExecStart="{CONVERSYNC}" nightly --wait 30m --project "{folder}"\n' in service
    assert "OnCalendar=*-*-* 23:05:00" in (folder / "systemd" / "conversync.timer").read_text()
    assert f'path: "{folder}/warehouse.duckdb"' in (folder / "profiles.yml").read_text()


def test_nothing_is_overwritten_without_force(tmp_path: Path, nursery: ProcessPool) -> None:
    """Not even half: one file that is there, and nothing is written. With --force all are, and stay private."""
    asked = ("init", "--yes", "--source", "besitos", "--dbt")
    (tmp_path / "profiles.yml").write_text("mine")
    ended = forked(nursery, tmp_path, {"BESITOS_TOKEN": "abc-123"}, *asked)
    assert ended.code == 2
    assert "profiles.yml is there already: nothing was written" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["profiles.yml"]
    secrets = tmp_path / ".dlt" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text("old")
    secrets.chmod(0o644)
    assert forked(nursery, tmp_path, {"BESITOS_TOKEN": "abc-123"}, *asked, "--force").code == 0
    assert (mode(secrets), "abc-123" in secrets.read_text()) == (0o600, True)
    assert "conversync:" in (tmp_path / "profiles.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--source", "nobody"), 'no source "nobody"'),
        ((), "No source is named"),
        (("--source", "besitos", "--at", "25:00"), "--at"),
        (("--source", "besitos", "BESITOS_ZNOE=UTC"), "BESITOS_ZONE is"),
        (("--source", "besitos", "SEND_MAX_ROWS=many"), "SEND_MAX_ROWS in the environment cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_told(
    tmp_path: Path, nursery: ProcessPool, arguments: tuple[str, ...], words: str
) -> None:
    """Exit 2, and nothing is written."""
    given = dict(one.split("=") for one in arguments if "=" in one)
    arguments = tuple(one for one in arguments if "=" not in one)
    ended = forked(nursery, tmp_path, given, "init", "--yes", *arguments)
    assert (ended.code, words in ended.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_has_its_place_and_is_said(tmp_path: Path, nursery: ProcessPool) -> None:
    """Without a terminal nothing is asked; the next command says what is still to be filled in."""
    ended = forked(nursery, tmp_path, {}, "init", "--source", "besitos")
    assert ended.code == 0
    assert "besitos still lacks besitos_token" in ended.out
    assert "besitos_token still holds a placeholder" in forked(nursery, tmp_path, {}, "check").out


def test_a_terminal_is_asked_and_shows_no_secret(tmp_path: Path) -> None:
    """The token is typed unseen, and is in the file, exactly, whatever signs it has; the zone of the days is asked."""
    token = 'a"b\\c #d'
    code, shown = asked(
        tmp_path, ("Which sources", "besitos"), ("besitos_token", token), ("besitos_zone", "")
    )
    assert code == 0, shown
    assert token not in shown
    assert "decides the day on which money counts [EST]" in " ".join(shown.split())
    assert sections(tmp_path, "secrets") == {"besitos": {"besitos_token": token}}
    assert sections(tmp_path, "config") == {"besitos": {"besitos_zone": "EST"}}


@pytest.mark.more
def test_a06_what_cannot_be_meant_is_asked_again(tmp_path: Path) -> None:
    """A source, a secret, a zone, an address with a typing error in it: said, and asked again; nothing ends."""
    code, shown = asked(
        tmp_path,
        *(("Which sources", "bestios"), ("Which sources", "besitos keitaro")),
        *(("besitos_token", "<your token>"), ("besitos_token", "abc-123")),
        *(("besitos_zone", "Mars/Olympus"), ("besitos_zone", "America/New_York")),
        *(("keitaro_api_key", "def-456"), ("keitaro_url", "tracker.example.com")),
        *(("keitaro_url", "https://tracker.example.com"), ("keitaro_zone", "Europe/Berlin")),
    )
    assert code == 0, shown
    words = " ".join(shown.split())
    for said in (
        "Did you mean besitos?",
        "placeholder",
        "besitos_zone is",
        "keitaro_url is no https address",
    ):
        assert said in words
    assert sections(tmp_path, "secrets") == {
        "besitos": {"besitos_token": "abc-123"},
        "keitaro": {"keitaro_api_key": "def-456"},
    }
    assert sections(tmp_path, "config") == {
        "besitos": {"besitos_zone": "America/New_York"},
        "keitaro": {"keitaro_url": "https://tracker.example.com", "keitaro_zone": "Europe/Berlin"},
    }


@pytest.mark.more
def test_a06_in_a_clone_what_is_new_goes_into_what_is_there(tmp_path: Path) -> None:
    """Our own config.toml keeps every line and comment; what it says already is not asked; the secrets are added."""
    folder = tmp_path / ".dlt"
    folder.mkdir()
    shutil.copy(ROOT / ".dlt" / "config.toml", folder)
    shutil.copy(ROOT / ".dlt" / "example.secrets.toml", folder / "secrets.toml")
    before = (folder / "config.toml").read_text().splitlines()
    code, shown = asked(
        tmp_path,
        *(
            ("Which sources", "besitos, keitaro"),
            ("besitos_token", "abc-123"),
            ("keitaro_api_key", "def-456"),
        ),
        ("keitaro_url", "https://tracker.example.com"),
    )
    assert code == 0, shown
    after = (folder / "config.toml").read_text().splitlines()
    [new] = [line for line in after if line not in before]
    assert new == 'keitaro_url = "https://tracker.example.com"'
    assert [line for line in after if line != new] == before
    assert sections(tmp_path, "config")["keitaro"]["keitaro_url"] == "https://tracker.example.com"
    secrets = sections(tmp_path, "secrets")
    assert secrets["besitos"] == {"besitos_token": "abc-123"}
    assert secrets["keitaro"]["keitaro_api_key"] == "def-456"
    assert "# Where `conversync nightly`" in (folder / "secrets.toml").read_text()
    assert mode(folder / "secrets.toml") == 0o600
    code, shown = asked(tmp_path, ("Which sources", "besitos"))
    assert (code, shown.count("has all of it already")) == (0, 2), shown


def test_a06_git_is_told_to_ignore_the_secrets(tmp_path: Path, nursery: ProcessPool) -> None:
    """Once, also before there is a git tree; where it is known, nothing is written."""
    environment = {"BESITOS_TOKEN": "abc-123", "PATH": os.environ["PATH"]}
    asked_for = ("init", "--yes", "--source", "besitos", "--folder", "night")
    assert forked(nursery, tmp_path, environment, *asked_for).code == 0
    assert ".dlt/secrets.toml\n" in (tmp_path / "night" / ".gitignore").read_text()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "night" / ".gitignore").write_text("mine")
    for _ in range(2):
        assert forked(nursery, tmp_path, environment, *asked_for).code == 0
        assert (tmp_path / "night" / ".gitignore").read_text() == "mine\n.dlt/secrets.toml\n"
    (tmp_path / "night" / ".gitignore").unlink()
    assert forked(nursery, tmp_path, environment, *asked_for).code == 0
    known = ["night/.dlt/secrets.toml", "night/published/report.html", "night/warehouse.duckdb.lock"]
    ignored = subprocess.run(
        ["git", "check-ignore", *known], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == known


def test_a06_a_settings_file_that_cannot_be_read_is_left_as_it_is(
    tmp_path: Path, nursery: ProcessPool
) -> None:
    """Exit 2 with its line, and nothing is written beside it."""
    config = tmp_path / ".dlt" / "config.toml"
    config.parent.mkdir()
    config.write_text("warehouse = \n")
    ended = forked(nursery, tmp_path, {"BESITOS_TOKEN": "abc-123"}, "init", "--yes", "--source", "besitos")
    assert (ended.code, "config.toml is not TOML: look at line 1" in ended.err) == (2, True)
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]
    assert config.read_text() == "warehouse = \n"


def test_a07_an_empty_folder_is_told_of_init(tmp_path: Path, nursery: ProcessPool) -> None:
    """Where nothing is set: exit 2, the command that asks for it, and no file that is not there."""
    ended = forked(nursery, tmp_path, {}, "load")
    assert (ended.code, "conversync init" in ended.err, "example" in ended.err) == (2, True, False)


def asked(folder: Path, *dialogue: tuple[str, str]) -> tuple[int, str]:
    """`conversync init` on a terminal: each question with what is typed; its exit code, and all that was shown."""
    parent, child = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "COLUMNS": "200"}
    with subprocess.Popen(
        [CONVERSYNC, "init"], cwd=folder, env=environment, stdin=child, stdout=child, stderr=child,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(child)
        shown = "".join([answer(parent, prompt, text) for prompt, text in dialogue])
        shown += rest(parent)
    os.close(parent)
    return process.returncode, shown


def sections(folder: Path, name: str) -> dict[str, Any]:
    """What a settings file says of the sources."""
    sources: dict[str, Any] = tomllib.loads((folder / ".dlt" / f"{name}.toml").read_text())["sources"]
    return sources


def answer(terminal: int, prompt: str, text: str) -> str:
    """Waits for the prompt, then types."""
    shown, until = "", time.monotonic() + 60
    while prompt not in shown or not shown.rstrip().endswith(":"):
        assert time.monotonic() < until, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode()
    time.sleep(0.2)  # what is typed before the echo is off would be seen
    os.write(terminal, text.encode() + b"\n")
    return shown


def rest(terminal: int) -> str:
    shown = ""
    with suppress(OSError):  # the terminal is gone with its last writer
        while piece := os.read(terminal, 65536):
            shown += piece.decode()
    return shown


def test_l09_git_is_told_nothing_but_what_it_needs(nursery: ProcessPool, tmp_path: Path) -> None:
    """Whatever git is on the PATH: no secret of the environment that init takes its settings from."""
    program, told = tmp_path / "bin" / "git", tmp_path / "told"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv > "{told}"\nexit 1\n')
    program.chmod(0o755)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    given = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "BESITOS_TOKEN": "hunter2hunter2",
        "OTHER": "secret",
    }
    ended = forked(nursery, tmp_path, given, "init", "--yes", "--source", "besitos")
    assert ended.code == 0, ended.told
    names = {line.partition("=")[0] for line in told.read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME"}
