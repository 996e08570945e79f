"""A run of Conductrics: the lists as they are now, whatever days were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from conversync.monitor import views as health
from conversync.types import Restored
from conversync.vendors import InReport, LoadRequest, OnPage, Step, Vendor

from . import conductrics
from .check import check
from .settings import ConductricsSettings
from .tables import LEDGERS, TABLES
from .target import Goals

if TYPE_CHECKING:
    from conversync.report.parts import Section


def steps(_state: Restored, _settings: ConductricsSettings, asked: LoadRequest) -> Iterator[Step]:
    """One step: goals and agents belong together."""

    def read(on_page: OnPage) -> Any:
        return conductrics(accept_empty=asked.accept_empty, on_page=on_page)

    yield Step("goals and agents", read)


def _sections() -> Sequence[Section]:
    from .report import SECTIONS

    return SECTIONS


VENDOR = Vendor(
    name="conductrics",
    title="Conductrics",
    says="Goals of experiments, and the agents that learn from them.",
    source=conductrics,
    targets=(Goals(),),
    settings=ConductricsSettings,
    steps=steps,
    check=check,
    views=lambda _settings: health.lists(),
    tables=TABLES,
    ledgers=LEDGERS,
    account=("conductrics_account",),
    in_report=InReport("violet", sections=_sections),
)
