"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from typer.main import get_command

from conversync.cli.main import app
from conversync.sandbox import Sandbox, World
from tests.houses import forget_settings
from tests.support import command

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/analysts.md",
    "docs/books.md",
    "docs/container.md",
    "docs/lookback.md",
    "docs/privacy.md",
    "dbt/README.md",
    "docs/sending.md",
)
COMMANDS = get_command(app).commands  # type: ignore[attr-defined] # typer's command is a group


def shown(page: str) -> list[list[str]]:
    """Every command line of ours in a page, without its comment."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(
        r"`(conversync [^`]+)`", text
    )
    found = [re.search(r"(?:^|/|\s)conversync ([a-z].*)", line) for line in lines]
    return [shlex.split(one[1], comments=True) for one in found if one]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_exists_with_its_options(page: str) -> None:
    """No page names a command or an option that was renamed since."""
    for name, *rest in shown(page):
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, f"{page}: {name} {rest}"


def test_every_command_has_an_example_and_is_in_the_readme() -> None:
    """Help shows how to type it, and the README that it is there."""
    named = {words[0] for words in shown("README.md")}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, one in COMMANDS.items():
        assert "Example" in (one.help or ""), f"{name} has no example"
        assert name in named or f"`{name}" in readme or f"make {name}" in readme, (
            f"{name} is not in the README"
        )


@pytest.mark.more
def test_the_way_back_out_works_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load, plan, send, load, reconcile: with a sandbox, and a table that knows the players."""
    forget_settings(monkeypatch)
    start = datetime.now(UTC).date() - timedelta(days=11)
    with Sandbox(World(start=start, days=12, players=40)) as sandbox:
        sandbox.world.now = datetime.now(UTC)
        environment = sandbox.settings() | {"CONVERSYNC_WAREHOUSE": str(tmp_path / "warehouse.duckdb")}
        assert command("load", "besitos", cwd=tmp_path, environment=environment).code == 0
        with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
            connection.execute(
                "create table main.player_ids as select distinct user_key, 'app-' || user_key as subid, "
                "user_key as tested_user_external_id from besitos.conversions"
            )
        block = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Send it back")[2]
        lines = re.findall(
            r"^\.venv/bin/conversync (.*?)(?:\s+#.*)?$", block.partition("## ")[0], re.MULTILINE
        )
        assert len(lines) == 4
        for line in lines:
            ended = command(*shlex.split(line), cwd=tmp_path, environment=environment)
            assert ended.code == 0, f"{line}: {ended.out} {ended.err}"
        assert "0 differences" in ended.out
        assert len(sandbox.keitaro.received) > 100
