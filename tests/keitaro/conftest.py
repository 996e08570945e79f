"""A tracker and a warehouse for every test, and nothing of the developer's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace, forget_settings
from tests.keitaro.books import vendor_at

MakeHouse = Callable[..., VendorWorkspace]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """`make_house(world, variants, keitaro_page_size="7")`: its machine's clock is the world's."""
    with ExitStack() as stack:

        def make(
            world: World | None = None, variants: Variants | None = None, **settings: str
        ) -> VendorWorkspace:
            sandbox = stack.enter_context(Sandbox(world or World(days=12, conversions_a_day=12)))
            sandbox.keitaro.variants = variants or Variants()
            start = {"KEITARO_START_DATE": str(sandbox.world.start)}
            chosen = {name.upper(): value for name, value in settings.items()}
            return VendorWorkspace("keitaro", sandbox, tmp_path, {**start, **chosen}, vendor_at(sandbox))

        yield make


@pytest.fixture
def house(make_house: MakeHouse) -> VendorWorkspace:
    """A house whose tracker waits for scripted rows: the 8th of January, the first run reads from the 1st."""
    made = make_house(World(days=7))
    made.sandbox.keitaro.rows = []
    made.sandbox.keitaro.report_rows = []
    return made
