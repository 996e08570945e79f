"""A sandbox and a warehouse for every test, and nothing of the developer's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.houses import VendorWorkspace, forget_settings

# isort: split
import pendulum
from dlt.common.configuration.specs import configspec
from pendulum import Date

from conversync.sandbox import Sandbox, World
from conversync.sandbox.infobip import Variants
from conversync.vendors import Vendor, vendors
from sources.infobip import InfobipSettings

MakeHouse = Callable[..., VendorWorkspace]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """`make_house(world, variants, infobip_lookback_days="3")`: its machine's clock is the world's."""
    with ExitStack() as stack:

        def make(
            world: World | None = None, variants: Variants | None = None, **settings: str
        ) -> VendorWorkspace:
            sandbox = stack.enter_context(Sandbox(world or World(days=8, conversions_a_day=25)))
            sandbox.infobip.variants = variants or Variants()
            chosen = {name.upper(): value for name, value in settings.items()}
            return VendorWorkspace("infobip", sandbox, tmp_path, chosen, vendor_at(sandbox))

        yield make


@pytest.fixture
def house(make_house: MakeHouse) -> VendorWorkspace:
    """A house of a week's world, its clock on the fifth day."""
    made = make_house()
    made.sandbox.world.now = made.sandbox.world.day(5)
    return made


def vendor_at(sandbox: Sandbox) -> Vendor:
    """Infobip to a machine whose clock is the sandbox world's: for nights that are simulated."""

    @configspec
    class Clocked(InfobipSettings):
        # dlt looks there for the names in the annotations that are inherited.
        __module__ = InfobipSettings.__module__

        def today(self) -> Date:
            return pendulum.instance(sandbox.world.now.date())

    return replace(vendors()["infobip"], settings=Clocked)
