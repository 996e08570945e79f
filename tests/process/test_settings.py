"""K01, K02, K05, K06, K07: a setting that is missing or wrong is refused before any request, by its name alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.process.support import ROOT, Place

WRONG: dict[str, tuple[str, str, str]] = {
    # K01: what is no secret at all
    "K01-empty": ("BESITOS_TOKEN", "", "besitos_token is empty"),
    "K01-blank": ("BESITOS_TOKEN", "   ", "besitos_token is empty"),
    "K01-configure-me": ("BESITOS_TOKEN", "<configure me>", "besitos_token still holds a placeholder"),
    "K01-changeme": ("BESITOS_TOKEN", "changeme", "besitos_token still holds a placeholder"),
    "K01-your-token": ("BESITOS_TOKEN", "YOUR_TOKEN_HERE", "besitos_token still holds a placeholder"),
    "K01-crossed-out": ("BESITOS_TOKEN", "xxxxxxxx", "besitos_token still holds a placeholder"),
    "K01-unexpanded": ("BESITOS_TOKEN", "${TOKEN}", "besitos_token"),
    # K02: what cannot be meant
    "K02-negative-lookback": ("BESITOS_LOOKBACK_DAYS", "-1", "besitos_lookback_days is -1"),
    "K02-endless-lookback": ("BESITOS_LOOKBACK_DAYS", "9999999", "besitos_lookback_days is 9999999"),
    "K02-lookback-in-words": (
        "BESITOS_LOOKBACK_DAYS",
        "seven",
        'is "seven" in the environment (BESITOS_LOOKBACK_DAYS), but must be a whole number, or "auto".',
    ),
    "K02-another-word-for-auto": (
        "BESITOS_LOOKBACK_DAYS",
        "automatic",
        'is "automatic" in the environment (BESITOS_LOOKBACK_DAYS), but must be a whole number, or "auto".',
    ),
    "K02-half-a-day": (
        "BESITOS_REVERSAL_LOOKBACK_DAYS",
        "1.5",
        'besitos_reversal_lookback_days is "1.5" in the environment',
    ),
    "K02-no-rows-a-page": ("BESITOS_PAGE_SIZE", "0", "besitos_page_size is 0"),
    "K02-no-page-at-once": ("BESITOS_CONCURRENCY", "0", "besitos_concurrency is 0"),
    "K02-all-pages-at-once": ("BESITOS_CONCURRENCY", "1000000", "besitos_concurrency is 1000000"),
    "K02-no-zone": ("BESITOS_ZONE", "Mars/Olympus", "besitos_zone is"),
    "K02-zone-as-path": ("BESITOS_ZONE", "../../etc/passwd", "besitos_zone is"),
    "K02-no-day": ("BESITOS_START_DATE", "yesterday", "besitos_start_date is"),
    "K02-maybe": (
        "BESITOS_REVERSAL_TAKES_PAYOUT",
        "maybe",
        'besitos_reversal_takes_payout is "maybe" in the environment',
    ),
    # K06: where no credentials may go
    "K06-plain-http": ("BESITOS_URL", "http://wall.besitos.ai", "besitos_url is plain http"),
    "K06-plain-http-in-house": ("BESITOS_URL", "http://10.0.0.7", "besitos_url is plain http"),
    "K06-user-and-password": (
        "BESITOS_URL",
        "https://jane:hunter2@wall.besitos.ai",
        "besitos_url holds a user name",
    ),
    "K06-token-in-query": (
        "BESITOS_URL",
        "https://wall.besitos.ai?token=hunter2",
        "besitos_url holds a query",
    ),
    "K06-no-address": ("BESITOS_URL", "ftp://wall.besitos.ai", "besitos_url is no https address"),
    "K06-empty": ("BESITOS_URL", "", "besitos_url is empty"),
    # K07: what no header can carry
    "K07-newline": ("BESITOS_TOKEN", "hunter2\nX-Evil: 1", "besitos_token "),
    "K07-return": ("BESITOS_TOKEN", "hunter2\r\n", "besitos_token "),
    "K07-trailing-space": ("BESITOS_TOKEN", "hunter2 ", "besitos_token "),
    "K07-unicode": ("BESITOS_TOKEN", "hunter2\N{RIGHTWARDS ARROW}", "Check besitos_token"),
    "K07-tab": ("BESITOS_TOKEN", "hun\tter2", "besitos_token "),
}
"""What is set, and how the sentence begins that refuses it."""


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_refused_before_any_request(place: Place, case: str) -> None:
    """Exit 2, one sentence with the setting's name and never a secret; no request, no file."""
    name, value, words = WRONG[case]
    place.env[name] = value
    done = place.load()
    done.refused(2, words)
    assert done.told.count("\n") == 1
    assert "hunter2" not in done.told
    assert place.sandbox.requests == []
    assert not place.warehouse.exists()


def test_k01_a_missing_secret(place: Place) -> None:
    """Exit 2, and where it can stand: the file and the name in the environment."""
    del place.env["BESITOS_TOKEN"]
    done = place.load()
    done.refused(2, "besitos_token is not set", ".dlt/secrets.toml", "BESITOS_TOKEN")
    assert place.sandbox.requests == []


def test_k01_nothing_is_configured(place: Place) -> None:
    """`conversync load` with no source named and none configured: exit 2, not a silent success."""
    del place.env["BESITOS_TOKEN"]
    done = place.run("load")
    done.refused(2, "No source has its settings")


@pytest.mark.more
def test_k02_an_option_that_cannot_be_meant(place: Place) -> None:
    """Days, durations, names: exit 2 and the option, before anything is opened."""
    for options, words in (
        (("--window", "0d"), "--window"),
        (("--window", "36h"), "--window"),
        (("--wait", "soon"), "--wait"),
        (("--from", "2024-13-01"), '--from is "2024-13-01", which is no day'),
        (("--to", "2024-13-01"), '--to is "2024-13-01", which is no day'),
        (("--from", "2025-02-01", "--to", "2025-01-01"), "--from 2025-02-01 comes after --to 2025-01-01"),
        (("--no-such-option",), "No such option"),
    ):
        place.load(*options).refused(2, words)
    assert place.sandbox.requests == []


def project(place: Place, mode: int) -> Path:
    folder = place.folder / ".dlt"
    folder.mkdir()
    secrets = folder / "secrets.toml"
    secrets.write_text(f'[sources.besitos]\nbesitos_token = "{place.env.pop("BESITOS_TOKEN")}"\n')
    secrets.chmod(mode)
    return secrets


def test_k05_a_secrets_file_that_others_can_read_is_told_of(place: Place) -> None:
    """A warning with the way out, and the run goes on; after it, silence."""
    secrets = project(place, 0o640)
    done = place.load()
    assert done.code == 0
    assert f"chmod 600 {secrets.relative_to(place.folder)}" in done.err
    secrets.chmod(0o600)
    assert "chmod" not in place.load("--dry-run").told


def test_k05_git_ignores_the_secrets_file(tmp_path: Path) -> None:
    """`git check-ignore` knows it, and a warehouse, its lock and its working folder too."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    paths = [
        ".dlt/secrets.toml",
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
        "warehouse.duckdb.lock",
        ".conversync/x",
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", *paths], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == paths


def test_a_path_that_dlt_would_read_as_a_template(place: Place) -> None:
    """A per cent sign in the warehouse's path: told before any request, and not a failure in the middle of a load."""
    place.env["CONVERSYNC_WAREHOUSE"] = str(place.folder / "50%" / "warehouse.duckdb")
    place.load().refused(2, "may hold no %")
    assert not place.sandbox.requests
