"""A run of Conductrics: the lists as they are now, whatever days were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conversync.monitor import views as health
from conversync.table import Compared
from conversync.vendors import InReport, LoadRequest, OnPage, Step, Vendor

from . import ConductricsSettings, conductrics
from .check import check
from .target import Goals

if TYPE_CHECKING:
    from conversync.report.parts import Section


def steps(_state: Mapping[str, Any], _settings: ConductricsSettings, asked: LoadRequest) -> Iterator[Step]:
    """One step: goals and agents belong together."""

    def read(on_page: OnPage) -> Any:
        return conductrics(accept_empty=asked.accept_empty, on_page=on_page)

    yield Step("goals and agents", read)


def _sections() -> Sequence[Section]:
    from .page import SECTIONS

    return SECTIONS


VENDOR = Vendor(
    name="conductrics",
    title="Conductrics",
    source=conductrics,
    targets=(Goals(),),
    settings=ConductricsSettings,
    steps=steps,
    check=check,
    views=lambda _settings: health.lists(),
    statements={"goal_history": None},
    days={},
    compared=lambda _settings: (
        Compared("goals", ("code",)),
        Compared("goal_agents", ("code", "agent")),
        Compared("agents", ("code",)),
    ),
    account=("conductrics_account",),
    own=frozenset({"goals", "goal_agents"}),
    in_report=InReport("violet", sections=_sections),
)
