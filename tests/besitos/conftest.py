"""A sandbox and a warehouse for every test, and nothing of the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Sandbox, Variants, World
from tests.besitos.rows import row
from tests.support import Workspace, at_once

MakeHouse = Callable[..., Workspace]
ROWS: list[Any] = [row(number, payout=Decimal(number)) for number in range(1, 11)]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    for name in list(os.environ):
        if name.startswith(("BESITOS_", "CONVERSYNC_", "HTTP_BUDGET", "SOURCES__")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """`make_house(world, variants, besitos_page_size="2")`: a house whose sandbox serves until the test ends."""
    with ExitStack() as stack:

        def make(world: World | None = None, variants: Variants | None = None, **settings: str) -> Workspace:
            sandbox = stack.enter_context(Sandbox(world or World(days=1), variants=variants))
            return Workspace(sandbox, tmp_path, {name.upper(): value for name, value in settings.items()})

        yield make


@pytest.fixture
def house(make_house: MakeHouse) -> Workspace:
    """A house whose sandbox waits for scripted rows, and which reads both streams at once."""
    made = make_house()
    made.vendor = at_once()
    return made


@pytest.fixture
def ten(make_house: MakeHouse) -> Workspace:
    """Ten rows, three to a page, one page at a time."""
    house = make_house(besitos_page_size="3", besitos_concurrency="1")
    house.vendor = at_once()
    house.sandbox.besitos.rows = ROWS
    return house
