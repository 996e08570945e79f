"""A sandbox and a warehouse for every test, and nothing of the developer's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.conductrics import Variants
from tests.houses import VendorWorkspace, forget_settings

MakeHouse = Callable[..., VendorWorkspace]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """`make_house(world, variants, http_budget="0")`: a house whose sandbox serves until the test ends."""
    with ExitStack() as stack:

        def make(
            world: World | None = None, variants: Variants | None = None, **settings: str
        ) -> VendorWorkspace:
            sandbox = stack.enter_context(Sandbox(world or World(days=2, conversions_a_day=1)))
            sandbox.conductrics.variants = variants or Variants()
            chosen = {name.upper(): value for name, value in settings.items()}
            return VendorWorkspace("conductrics", sandbox, tmp_path, chosen)

        yield make


@pytest.fixture
def house(make_house: MakeHouse) -> VendorWorkspace:
    """A house with two scripted goals and an agent."""
    made = make_house(http_budget="0")
    made.sandbox.conductrics.rows = [goal("g-1"), goal("shop/sale", "Sale", ["a-2", "a-1"])]
    made.sandbox.conductrics.agent_rows = [{"code": "a-1", "name": "Home"}]
    return made


def goal(code: str, name: str = "Install", agents: object = ("a-1",), **more: object) -> dict[str, object]:
    """A goal as the vendor writes it."""
    return {
        "code": code,
        "name": name,
        "agents": list(agents) if isinstance(agents, tuple) else agents,
        **more,
    }
