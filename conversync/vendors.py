"""The vendors that can be loaded: what a run of each consists of, a file each beside this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from conversync.extract.check_results import Finding
    from conversync.extract.windows import Window

# In the order in which a run takes them.
NAMES = ("besitos", "infobip", "conductrics", "keitaro")

# So many of the old days that are read again are named.
MOST_SHOWN = 3

OnPage = Callable[[int, int], None]


class Plannable(Protocol):
    """Some days to read; `again` beside what is due."""

    @property
    def again(self) -> bool: ...


AnyDays = TypeVar("AnyDays", bound=Plannable)


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
    """One unit of commit: what it is called, and the dlt source that reads it.

    `skipped` is filled while it is read: a sentence for each part that could not be had, and wants a look.
    """

    label: str
    source: Callable[[OnPage], Any]
    skipped: list[str] = field(default_factory=list)
    is_extra: bool = False
    """Read beside what is due: where it is refused, or answered in a way that cannot be trusted, a run does without."""


@dataclass(frozen=True)
class Vendor:
    """One vendor: its settings, the steps of a run, and what its tables are.

    `settings` is a dlt configspec. `steps` plans from the source's restored state; each step is committed before
    the next is read. `check` looks at the vendor and loads nothing. `views` maps a view's name to its SQL (DuckDB's
    dialect, tables unqualified). `statements` names the scd2 tables, each with the SQL condition that tells a
    reversal (None: it has none). `days` names the column that dates a row, for the tables that are read by day.
    `upgrade` mends what an earlier version left, given dlt's sql client and its dialect, where the tables are there.
    `account` names the settings that tell one account at the vendor from another, besides `<vendor>_url`; no secrets.
    `own` names the tables of which no row counts as new: those that come of the settings were not read, and those that
    come of a row that another table has, too, would count it twice.
    """

    name: str
    settings: type[Any]
    steps: Callable[[Mapping[str, Any], Any, Asked], Iterator[Step]]
    check: Callable[[Any], Iterator[Finding]]
    views: Callable[[Any], Mapping[str, str]]
    statements: Mapping[str, str | None]
    days: Mapping[str, str]
    account: Sequence[str] = ()
    own: frozenset[str] = frozenset()
    upgrade: Callable[[Any, str], None] | None = None


def windows(parts: Iterable[Window]) -> Iterator[tuple[Window, Callable[[Window], None]]]:
    """The windows of a stream's steps, in their order; what a step leaves of its window (`on_rest`) comes next."""
    todo = deque(parts)
    while todo:
        yield todo.popleft(), todo.appendleft


def divided(planned: Iterable[AnyDays]) -> tuple[list[AnyDays], list[AnyDays]]:
    """What a run reads in the windows that it commits one by one, and the old days that it reads again after them."""
    todo = list(planned)
    return [days for days in todo if not days.again], [days for days in todo if days.again]


def old_days(again: Iterable[tuple[str, Window]]) -> str:
    """What a step is called that reads old days, each of a stream."""
    named = [f"{stream} {window}" for stream, window in again]
    shown = ", ".join(named[:MOST_SHOWN])
    more = f" and {len(named) - MOST_SHOWN} more" if len(named) > MOST_SHOWN else ""
    return f"{shown}{more}, for rows set aside there"


def vendors() -> dict[str, Vendor]:
    """All vendors by name."""
    return {name: import_module(f"conversync.vendors.{name}").VENDOR for name in NAMES}


def sql_files(module: Any, **substitutes: str) -> dict[str, str]:
    """The views that stand as SQL files beside a source, by name, with `$name` replaced."""
    return {
        file.stem: Template(file.read_text(encoding="utf-8")).substitute(substitutes)
        for file in sorted(Path(module.__file__).parent.glob("*.sql"))
    }
