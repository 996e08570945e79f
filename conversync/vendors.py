"""The vendors: what each consists of, and where they are found. A folder each, and `vendor.py` in it declares it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from conversync.errors import SettingsError
from conversync.types import Restored, Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from conversync.extract.check_results import CheckResult
    from conversync.extract.lookback import Lookback
    from conversync.extract.windows import Window
    from conversync.report.parts import Section
    from conversync.send.comparison import Reconciliation
    from conversync.send.target import Target
    from conversync.settings.questions import Questions
    from conversync.table import Table

# The entry points by which somebody else's package adds a vendor: each names a `Vendor`.
GROUP = "conversync.vendors"
# So many of the old days that are read again are named.
MOST_SHOWN = 3

OnPage = Callable[[int, int], None]


class Plannable(Protocol):
    """Some days to read; `again` beside what is due."""

    @property
    def again(self) -> bool: ...


AnyDays = TypeVar("AnyDays", bound=Plannable)


@dataclass(frozen=True)
class LoadRequest:
    """What a person asked of a run: days (ISO text, in the vendor's zone) or what is due, and the size of windows.

    `accept_empty`: a list that is empty where there were rows before is believed. `same_account`: so is an address, or
    an account's name, that is another than at the last load. `new_account`: an account that nothing was loaded of is
    none that was called otherwise before. `shard`, (2, 8), is which part of the days is read, of how many.
    """

    start: str | None = None
    end: str | None = None
    window_days: int = 31
    accept_empty: bool = False
    same_account: bool = False
    new_account: bool = False
    shard: tuple[int, int] | None = None

    @property
    def named(self) -> str:
        """What the run is called to who waits for it."""
        return "load" if self.shard is None else "load {}/{}".format(*self.shard)

    @property
    def begins_anew(self) -> bool:
        """Whether the same command reads all of its days again, wherever it was stopped: no cursor says the first."""
        return self.start is not None


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
    days: Window | None = None
    of: Window | None = None
    """Its days, both ends included, and all those that they are a part of; None where it has none."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """Of which listings it reads these days, as the evidence calls them, each with its cursor's name in the state."""


def _nothing(*_: Any) -> Iterator[Any]:
    return iter(())


@dataclass(frozen=True)
class InReport:
    """How the report's page shows a vendor.

    `colour` is one of the page's: blue, orange, teal, violet. `role` is its side in the reconciliation: an `offerwall`
    pays for conversions that a `tracker` counts, too. `without_offer` is what earns without being an offer. `goals` is
    a SELECT of occurred_on, currency, offer_id, goal_id (as the mart `conversions` has them) and goal, a row a
    conversion: how the vendor calls the goal that it reached; `$dataset` in it is where its tables are. `sections` are
    those of the page that are its own.
    """

    colour: str = "muted"
    role: str = ""
    without_offer: str = "without an offer"
    goals: str = ""
    sections: Callable[[], Sequence[Section]] = tuple


@dataclass(frozen=True)
class Vendor:
    """One vendor: how it is called, how it is read, what its tables are, and what it takes back."""

    name: str
    """Of its settings, and of its dataset: `besitos`."""
    title: str
    """How people call it."""
    settings: type[Any]
    """A dlt configspec; what is missing or cannot be meant is a SettingsError, before any request."""
    source: Callable[..., Any] | None = None
    """Its dlt source, for those who run it by themselves; None for a vendor that is only sent to."""
    steps: Callable[[Restored, Any, LoadRequest], Iterator[Step]] = _nothing
    """What a run does, from the source's restored state and the settings; each is committed before the next is read."""
    check: Callable[[Any], Iterator[CheckResult]] = _nothing
    """Looks at the vendor, given the settings, and loads nothing."""
    views: Callable[[Any], Mapping[str, str]] = field(default=lambda _settings: {})
    """By the settings: a view's name and its SQL (DuckDB's dialect, tables unqualified)."""
    functions: Callable[[Any], Mapping[str, str]] = field(default=lambda _settings: {})
    """By the settings: a function's name and its SQL, as of views, over a `moment` that it is given."""
    books: Sequence[str] = ()
    """The listings whose days must be read whole before a period is closed; none: it is not in the books."""
    lookbacks: Sequence[Lookback] = ()
    """The settings that say how far back a night reads again, and by what that is measured where they are "auto"."""
    in_shards: bool = False
    """Whether its `steps` take `windows.asked_parts`, tell `days` and `of`, and its walks tell `READ`."""
    counting: Sequence[str] = ()
    """The settings by which its views say what counts, of the past, too."""
    tables: Sequence[Table] = ()
    """Its tables, and those of its views that are to be told of, without what every source has (`windows` ...)."""
    tables_by: Callable[[Any], Sequence[Table]] | None = None
    """The same by the settings, where they say which columns a table has."""
    ledgers: Sequence[Table] = ()
    """The tables in the dataset `sent` that its targets fill."""
    hashes: Mapping[str, Callable[[pa.Table], pa.ChunkedArray]] = field(default_factory=dict)
    """Of tables of statements, the statement_hash of rows as they are held; without it
    a row that `forget` cleared is stated anew, once, by the next reading."""
    account: Sequence[str] = ()
    """The settings that tell one account from another, besides `<vendor>_url`; no secrets."""
    questions: Mapping[str, Callable[[Questions], Any]] = field(default_factory=dict)
    """How `init` asks for settings that are more than a line of text."""
    upgrade: Callable[[Any, str], None] | None = None
    """Mends what an earlier version left, given dlt's sql client and its dialect, where the tables are there."""
    targets: Sequence[Target] = ()
    """The kinds of things that it takes."""
    outboxes: Mapping[str, Path] = field(default_factory=dict)
    """The SELECTs that stand ready for them, by the name of the vendor whose tables they read."""
    reconcile: Reconciliation | None = None
    """How what was sent is compared with what the vendor has."""
    in_report: InReport = InReport()
    """How the report's page shows it."""
    says: str = ""
    """What its tables hold, for those who read the models' documentation."""
    of_account: str = ""
    """Which of its accounts this is, as the settings call it (`eu`); the one that they do not name is "". """

    @property
    def label(self) -> str:
        """How commands call the source: `besitos`, and `besitos:eu` an account with a name."""
        return label(self.name, self.of_account)

    @property
    def dataset(self) -> str:
        """Where its tables are: `besitos`, `besitos_eu`."""
        return dataset(self.name, self.of_account)

    @property
    def statements(self) -> dict[str, str | None]:
        """The scd2 tables, each with the SQL condition that tells a reversal (None: it has none)."""
        return {table.name: table.reversal for table in self.tables if table.keeps_statements}

    @property
    def lasting(self) -> dict[str, tuple[str, ...]]:
        """Of tables of statements, the columns of which no restatement changes all."""
        return {table.name: table.lasting for table in self.tables if table.lasting}

    @property
    def days(self) -> dict[str, str]:
        """The column that dates a row, for the tables that are read by day."""
        return {table.name: table.day for table in self.tables if table.day}

    @property
    def own(self) -> set[str]:
        """The tables of which no row counts as new."""
        return {table.name for table in self.tables if not table.is_news}

    def compared(self, settings: Settings) -> list[Table]:
        """By the settings, the tables that `verify` compares."""
        tables = self.tables_by(settings) if self.tables_by else self.tables
        return [table for table in tables if table.is_compared]


def label(vendor: str, account: str) -> str:
    """`besitos:eu`, as commands take a source; `besitos` for the account without a name."""
    return f"{vendor}:{account}" if account else vendor


def parted(source: str) -> tuple[str, str]:
    """The vendor and the account of `besitos:eu`; of `besitos` the account is ""."""
    vendor, _, account = source.partition(":")
    return vendor, account


def dataset(vendor: str, account: str) -> str:
    """`besitos_eu`, which holds a source's tables; `besitos` for the account without a name."""
    return f"{vendor}_{account}" if account else vendor


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


@cache
def known() -> Mapping[str, Vendor]:
    """All vendors by name, in the order of their names: those in `sources/`, and those of other people's packages.

    SettingsError where two have one name.
    """
    package, names = _own()
    found = [import_module(f"{package}.{name}.vendor").VENDOR for name in names]
    found += [point.load() for point in entry_points(group=GROUP)]
    by_name = {vendor.name: vendor for vendor in sorted(found, key=lambda vendor: str(vendor.name))}
    if len(by_name) < len(found):
        twice = next(name for name in by_name if sum(one.name == name for one in found) > 1)
        raise SettingsError(f'Two installed packages have a vendor "{twice}": remove one of them.')
    return MappingProxyType(by_name)


def _own() -> tuple[str, list[str]]:
    """The package that holds our vendors' folders, in a wheel inside of this one and in a checkout beside it."""
    here = Path(__file__).parent
    package, folder = next(
        (package, folder)
        for package, folder in (
            ("conversync.sources", here / "sources"),
            ("sources", here.parent / "sources"),
        )
        if folder.is_dir()
    )
    return package, sorted(file.parent.name for file in folder.glob("*/vendor.py"))


def ours() -> list[str]:
    """The names of those in `sources/`."""
    return _own()[1]


def vendors() -> dict[str, Vendor]:
    """Those that can be read, by name."""
    return {name: vendor for name, vendor in known().items() if vendor.source is not None}


def targets() -> dict[str, Target]:
    """All that the vendors take, by name, `keitaro.conversions`; of their accounts see `settings.accounts.targets`."""
    return {target.name: target for vendor in known().values() for target in vendor.targets}


def source_of(target: str) -> str:
    """The source to which a target belongs: `keitaro:eu` of `keitaro:eu.conversions`."""
    return target.partition(".")[0]


def at_account(target: str, account: str) -> str:
    """What a declared target is called at an account of its vendor: `keitaro:eu.conversions`."""
    vendor, _, what = target.partition(".")
    return f"{label(vendor, account)}.{what}"


def of_dataset(name: str) -> Vendor | None:
    """The source whose tables a dataset holds, by its name alone: of the vendor with the longest name that fits."""
    fits = [vendor for vendor in known() if name == vendor or name.startswith(f"{vendor}_")]
    if not fits:
        return None
    vendor = max(fits, key=len)
    return replace(known()[vendor], of_account=name.removeprefix(vendor).removeprefix("_"))


def is_of_another(send_key: str, source: Vendor) -> bool:
    """Whether a row was sent of another account of the vendor, by a send_key as ready-made outboxes make it."""
    found = of_dataset(send_key.partition("-")[0])
    return found is not None and found.name == source.name and found.dataset != source.dataset


def label_of(name: str) -> str:
    """How commands call the source of a dataset; the name itself where nobody knows it any more."""
    found = of_dataset(name)
    return found.label if found is not None else name


def title(name: str) -> str:
    """How people call the source of a dataset; the name itself where nobody knows it any more."""
    found = of_dataset(name)
    if found is None:
        return name
    return f"{found.title} ({found.of_account})" if found.of_account else found.title


def is_list(name: str) -> bool:
    """Whether a dataset's listings have no days: every reading is the whole list as it is then."""
    found = of_dataset(name)
    return found is not None and found.source is not None and not found.days


def in_report(name: str) -> InReport:
    """How the report shows the source of a dataset; as any other where nobody knows it any more."""
    found = of_dataset(name)
    return found.in_report if found is not None else InReport()


def outboxes(beside: str) -> dict[str, Path]:
    """The outboxes in the folder `outboxes` beside a module (its `__file__`), by name."""
    return {file.stem: file for file in sorted((Path(beside).parent / "outboxes").glob("*.sql"))}


def sql_files(beside: str, **substitutes: str) -> dict[str, str]:
    """The views that stand as SQL files beside a module (its `__file__`), by name, with `$name` replaced."""
    return {
        file.stem: Template(file.read_text(encoding="utf-8")).substitute(substitutes)
        for file in sorted(Path(beside).parent.glob("*.sql"))
    }
