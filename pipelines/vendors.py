"""The vendors that can be loaded, and what a run of each consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

OnPage = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """What a person asked of a run: days (ISO text, in the vendor's zone) or what is due, and the size of windows."""

    start: str | None = None
    end: str | None = None
    window_days: int = 31


@dataclass(frozen=True)
class Step:
    """One unit of commit: what it is called, and the dlt source that reads it."""

    label: str
    source: Callable[[OnPage], Any]


@dataclass(frozen=True)
class Vendor:
    """One vendor: its settings, the steps of a run, and its views.

    `steps` plans from the source's restored state and is consumed step by step, each committed before the next.
    `views` maps the view's name to its SQL (DuckDB's dialect, tables unqualified).
    """

    name: str
    settings: type[Any]
    steps: Callable[[Mapping[str, Any], Any, Asked], Iterator[Step]]
    views: Callable[[Any], dict[str, str]]


def vendors() -> dict[str, Vendor]:
    """All vendors by name, in the order in which a run takes them."""
    return {vendor.name: vendor for vendor in (_besitos(),)}


def _besitos() -> Vendor:
    from sources import besitos as vendor

    def steps(state: Mapping[str, Any], settings: vendor.BesitosSettings, asked: Asked) -> Iterator[Step]:
        for stream, window in vendor.plan(state, settings, asked.start, asked.end):
            for part in vendor.parts(stream, window, settings, asked.window_days, due=not asked.start):
                read = partial(vendor.besitos, part.start, part.end, streams=[stream])
                yield Step(f"{stream} {part}", lambda on_page, read=read: read(on_page=on_page))
        if settings.besitos_partner_id and not asked.start:
            yield Step("catalogue", lambda _on_page: vendor.besitos(streams=[]))

    return Vendor("besitos", vendor.BesitosSettings, steps, partial(_views, Path(vendor.__file__).parent, vendor.view_settings))


def _views(folder: Path, substitute: Callable[[Any], Mapping[str, str]], settings: Any) -> dict[str, str]:
    from string import Template

    return {
        file.stem: Template(file.read_text(encoding="utf-8")).substitute(substitute(settings))
        for file in sorted(folder.glob("*.sql"))
    }
