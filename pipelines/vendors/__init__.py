"""The vendors that can be loaded: what a run of each consists of, a file each beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sources.findings import Finding

# In the order in which a run takes them.
NAMES = ("besitos", "infobip", "conductrics", "keitaro")

OnPage = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """What a person asked of a run: days (ISO text, in the vendor's zone) or what is due, and the size of windows.

    `accept_empty`: a list that is empty where there were rows before is believed. `same_account`: so is an address, or
    an account's name, that is another than at the last load.
    """

    start: str | None = None
    end: str | None = None
    window_days: int = 31
    accept_empty: bool = False
    same_account: bool = False


@dataclass(frozen=True)
class Step:
    """One unit of commit: what it is called, and the dlt source that reads it."""

    label: str
    source: Callable[[OnPage], Any]


@dataclass(frozen=True)
class Vendor:
    """One vendor: its settings, the steps of a run, and what its tables are.

    `settings` is a dlt configspec. `steps` plans from the source's restored state; each step is committed before
    the next is read. `check` looks at the vendor and loads nothing. `views` maps a view's name to its SQL (DuckDB's
    dialect, tables unqualified). `statements` names the scd2 tables, each with the SQL condition that tells a
    reversal (None: it has none). `days` names the column that dates a row, for the tables that are read by day.
    `account` names the settings that tell one account at the vendor from another, besides `<vendor>_url`; no secrets.
    """

    name: str
    settings: type[Any]
    steps: Callable[[Mapping[str, Any], Any, Asked], Iterator[Step]]
    check: Callable[[Any], Iterator[Finding]]
    views: Callable[[Any], Mapping[str, str]]
    statements: Mapping[str, str | None]
    days: Mapping[str, str]
    account: Sequence[str] = ()


def vendors() -> dict[str, Vendor]:
    """All vendors by name."""
    return {name: import_module(f"pipelines.vendors.{name}").VENDOR for name in NAMES}


def sql_files(module: Any, **substitutes: str) -> dict[str, str]:
    """The views that stand as SQL files beside a source, by name, with `$name` replaced."""
    return {
        file.stem: Template(file.read_text(encoding="utf-8")).substitute(substitutes)
        for file in sorted(Path(module.__file__).parent.glob("*.sql"))
    }
