"""`conversync check`: settings, each with where it comes from; a look at destination and vendors. Loads nothing."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from conversync.dlt_errors import translate_errors
from conversync.errors import PARTIAL, ConversyncError, LockedError, SettingsError
from conversync.extract.check_results import CheckResult
from conversync.extract.lookback import told
from conversync.http.wait_budget import one_run
from conversync.load import pipeline_for
from conversync.monitor import overview
from conversync.settings import accounts, lookup, trust
from conversync.settings.toml import toml_value
from conversync.settings.where_set import of_source, overruled
from conversync.types import Restored, Settings
from conversync.vendors import Vendor
from conversync.warehouse import confined_sql, files, publish, write_lock
from conversync.warehouse.warehouse import Warehouse


def origins(vendor: Vendor) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin of every setting; a secret's value is never shown.

    Nothing where they cannot be resolved: what is wrong with them is what `check` finds.
    """
    from conversync.dlt_internals import is_secret_hint

    try:
        chosen: Settings = lookup.resolve(vendor.settings, vendor.label)
    except SettingsError:
        return
    for name, hint in chosen.get_resolvable_fields().items():
        value = "****" if is_secret_hint(hint) and chosen[name] is not None else shown(chosen[name])
        given = of_source(name, vendor.label)
        yield name, value, given.place if given else "default"


def overruled_in(vendor: Vendor) -> Iterator[str]:
    """A sentence for each setting of a vendor that stands in two places, with different values."""
    from conversync.dlt_internals import is_secret_hint

    for name, hint in vendor.settings.get_resolvable_fields().items():
        yield from overruled(name, vendor.label, is_secret=is_secret_hint(hint))


def lookbacks(warehouse: Warehouse, vendor: Vendor) -> Iterator[str]:
    """A sentence for each lookback that is "auto": what it comes to, by what the last load into the warehouse noted."""
    if not any(one.is_auto for one in overview.lookbacks(vendor, {})):
        return
    state: Restored = {}
    try:
        if warehouse.exists():
            with overview.opened(warehouse) as (readable, _), tempfile.TemporaryDirectory() as folder:
                _, state = overview.dataset_of(readable, vendor, Path(folder))
    except LockedError as error:
        yield f"what auto comes to cannot be told now: {error}"
        return
    yield from (told(one) for one in overview.lookbacks(vendor, state) if one.is_auto)


def shown(value: object) -> str:
    """A setting's value as a person would write it into a file."""
    if value is None:
        return "not set"
    if isinstance(value, bool | list | tuple | dict):
        return toml_value(value)
    return str(value)


def session(warehouse: Warehouse) -> tuple[CheckResult, int] | None:
    """Whether a session of the destination can be had, which is opened and left at once, and the exit code of it.

    Of a DuckDB file whether it can be opened, as one can that somebody holds; None where a load has still to make it.
    """
    if not warehouse.exists():
        return None
    try:
        with translate_errors(), tempfile.TemporaryDirectory() as folder:
            if warehouse.destination == "duckdb":
                warehouse.check_opens()
            else:
                _open_there(warehouse, Path(folder))
    except LockedError as error:
        return CheckResult(True, str(error)), 0
    except ConversyncError as error:
        return CheckResult(False, str(error)), error.exit_code
    return CheckResult(True, "it can be opened."), 0


def _open_there(warehouse: Warehouse, folder: Path) -> None:
    destination = warehouse.dlt_destination(read_only=True)
    client = confined_sql.reader(pipeline_for(overview.SENT, destination, folder))
    client.open_connection()
    client.close_connection()


def writers(warehouse: Warehouse) -> str | None:
    """How many machines may write there, as a sentence; None for a file, which says it by itself."""
    if warehouse.destination == "duckdb":
        return None
    if write_lock.has_locks(warehouse.destination):
        return "several machines may write there; of each source's tables one at a time has the right to."
    return (
        "only one machine may write there, and from one folder: the lock is a file in "
        f"{warehouse.home}, which nobody elsewhere sees, and two at once would lose or double rows."
    )


def places(warehouse: Warehouse) -> Iterator[tuple[Path, str, str]]:
    """Path, mode and owner, and what others could do with it, of every place of ours that is there; settings first."""
    given = _settings_places()
    published = [path for path in (publish.published_path(warehouse), publish.report_path(warehouse)) if path]
    ours = [*written(warehouse), *(path.parent for path in published), *published]
    above = [folder for path in ours for folder in trust.open_above(path)]
    for path in dict.fromkeys([*given, *ours, *above]):
        try:
            found = path.stat()
        except OSError:
            continue
        mode = f"{stat.S_IMODE(found.st_mode):04o} {files.owner(found.st_uid)}"
        is_public = path in published or (path in given and path.name != "secrets.toml")
        yield path, mode, _open_to_others(path, found, is_public=is_public)


def _settings_places() -> list[Path]:
    folder = lookup.project_dir() / ".dlt"
    return [lookup.project_dir().absolute(), folder, *(folder / name for name in trust.FILES)]


def written(warehouse: Warehouse) -> list[Path]:
    """Where a run writes beside what is published: the warehouse, locks, journals, working folders, temporary files."""
    beside = sorted(path for path in warehouse.home.glob("*") if path.suffix == ".sqlite" or path.is_dir())
    return [
        *(warehouse.path.parent, warehouse.path, warehouse.home),
        *beside,
        Path(tempfile.gettempdir()),
    ]


def _open_to_others(path: Path, found: os.stat_result, *, is_public: bool) -> str:
    """A sentence, or nothing. A folder that others can list is no matter, nor what is there to be read."""
    if weak := trust.weakness(path):
        return str(weak)
    if stat.S_ISREG(found.st_mode) and not is_public and found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        who = "everyone on this machine" if found.st_mode & stat.S_IROTH else "its group"
        return f"{who} can read it; end it with: chmod go-r {path}"
    return ""


def check(vendors: Sequence[Vendor]) -> Iterator[tuple[str, CheckResult, int]]:
    """Source, finding, and the exit code that it is worth, one vendor after the other."""
    for vendor in vendors:
        try:
            chosen = lookup.resolve_each([vendor])[vendor.label]
            with one_run(), accounts.asked_for(vendor.label):
                for finding in vendor.check(chosen):
                    yield vendor.label, finding, 0 if finding.good else PARTIAL
        except ConversyncError as error:
            yield vendor.label, CheckResult(False, str(accounts.placed(error, vendor.label))), error.exit_code
