"""The published copy once more, as Delta or Iceberg tables for the engines of a lake: the setting `published_lake`.

It is made of the copy, so what is withheld from readers is not in it either. Each table that changed is replaced whole,
in one commit of its own; one that cannot be finished stays as it was, and the next run mends it.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from conversync.errors import ConversyncError, SettingsError
from conversync.http.redact import quoted, remember
from conversync.settings import lookup
from conversync.types import Connection
from conversync.warehouse import confined_sql, duckdb_limits, files, lake_tables
from conversync.warehouse.lake_tables import LakeTable, Place, State
from conversync.warehouse.warehouse import DISK_FULL, NO_SPACE

if TYPE_CHECKING:
    import pyarrow as pa

    from conversync.warehouse.publish import Readers

log = logging.getLogger("conversync")

DELTA, ICEBERG = "delta", "iceberg"
# By format, the package that writes it.
PACKAGES = {DELTA: "deltalake", ICEBERG: "pyiceberg"}
# For how long readers of an earlier version of a table have its files, unless `published_lake_keep` says so.
KEEP = "24h"
HOUR = 3600
# Seconds that tables which cannot be written may take in all; of a store that is away each asks for minutes.
PATIENCE = 60.0
# What a path may not hold to be part of an address.
_UNFIT = re.compile(r"[%?#\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^@?#\s]+", re.IGNORECASE)
# What the libraries take as a secret from the environment, and might say in an error.
_SECRET = re.compile(r"AWS_.*|AZURE_.*|GOOGLE_.*|PYICEBERG_CATALOG__.*")
_MOST_WORDS = 300
# Of a terminal, as the libraries' errors have them.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Tables(Protocol):
    """The tables of one format."""

    def strays(self, known: set[Place]) -> Iterator[Place]:
        """All tables of ours that are there, but for these."""

    def state(self, place: Place) -> State | None:
        """What a table of ours holds; None where there is none. ConversyncError for somebody else's."""

    def replace(self, table: LakeTable, state: State, batches: pa.RecordBatchReader) -> None:
        """Puts these rows, with their columns, in place of what is there, at once."""

    def describe(self, table: LakeTable) -> None:
        """What is said of a table."""

    def clean(self, place: Place, hours: int, *, thoroughly: bool) -> None:
        """Deletes what no version younger than that needs; `thoroughly`, what runs that were killed left as well."""

    def drop(self, place: Place) -> None:
        """Deletes a table."""


@dataclass(frozen=True)
class Lake:
    """Where and how the tables are written: a folder of this machine or an address, and the hours of old versions.

    `catalog` is pyiceberg's name of the one that knows Iceberg's tables; without it, one in the folder does.
    """

    address: str
    format: str
    hours: int
    catalog: str | None = None

    @property
    def folder(self) -> Path | None:
        """Where it is one of this machine."""
        return None if "://" in self.address else Path(self.address)

    def tables(self) -> Tables:
        """Its tables; the package of the format is imported now."""
        from conversync.warehouse.delta_tables import DeltaTables
        from conversync.warehouse.iceberg_tables import IcebergTables

        return (
            DeltaTables(self.address) if self.format == DELTA else IcebergTables(self.address, self.catalog)
        )


def wanted() -> Lake | None:
    """As the settings have it; None where there is none. SettingsError where they cannot be meant."""
    given = lookup.preference("published_lake", "CONVERSYNC_PUBLISHED_LAKE")
    if given is None:
        return None
    kind = lookup.preference("published_lake_format", "CONVERSYNC_PUBLISHED_LAKE_FORMAT") or DELTA
    if kind not in PACKAGES:
        raise SettingsError(f'published_lake_format is "{kind}", but must be {" or ".join(PACKAGES)}.')
    keep = lookup.preference("published_lake_keep", "CONVERSYNC_PUBLISHED_LAKE_KEEP") or KEEP
    seconds = lookup.duration(keep, "published_lake_keep")
    if seconds % HOUR:
        raise SettingsError(f'published_lake_keep is "{keep}", but must be whole hours, such as {KEEP}.')
    catalog = lookup.preference("published_lake_catalog", "CONVERSYNC_PUBLISHED_LAKE_CATALOG")
    lake = Lake(_address(given), kind, seconds // HOUR, catalog)
    _refuse_catalog(lake)
    return lake


def _refuse_catalog(lake: Lake) -> None:
    if lake.catalog is not None and lake.format != ICEBERG:
        raise SettingsError(
            f"published_lake_catalog is Iceberg's, and published_lake_format is {lake.format}."
        )
    if lake.catalog is None and lake.format == ICEBERG and lake.folder is None:
        raise SettingsError(
            "Iceberg's tables at an address are found by a catalog: name one of pyiceberg's as published_lake_catalog "
            "(PYICEBERG_CATALOG__<NAME>__URI says where it is)."
        )


def _address(given: str) -> str:
    if "://" not in given:
        path = str(lookup.in_project(given, "published_lake"))
        if _UNFIT.search(path):
            raise SettingsError(
                f"The path of published_lake ({path!r}) may hold no %, ?, # or control character, which stand for "
                "something else in the address of a table: name another place."
            )
        return path
    if not _ADDRESS.fullmatch(given):
        raise SettingsError(
            "published_lake must be a folder or an address such as s3://bucket/folder, without a name, a password or a "
            "key in it: these belong into the environment (AWS_ACCESS_KEY_ID and its like)."
        )
    return given


def check() -> None:
    """SettingsError where the lake cannot be written, before anything is read, and without making anything."""
    lake = wanted()
    if lake is None:
        return
    if importlib.util.find_spec(PACKAGES[lake.format]) is None:
        raise SettingsError(
            f"published_lake needs {PACKAGES[lake.format]}, which is not installed: "
            f'pip install "conversync[{lake.format}]".'
        )
    if lake.folder is not None:
        _check_folder(lake.folder)
    if lake.catalog is not None:
        from conversync.warehouse.iceberg_tables import catalogs

        if lake.catalog not in (known := catalogs()):
            raise SettingsError(
                f'published_lake_catalog is "{lake.catalog}", and pyiceberg knows {", ".join(known) or "none"}: '
                f"PYICEBERG_CATALOG__{lake.catalog.upper()}__URI, or a .pyiceberg.yaml, says where it is."
            )


def _check_folder(folder: Path) -> None:
    files.refuse_planted_folder(folder, "published_lake", is_named=True)
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        raise SettingsError(_unwritable(folder, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise SettingsError(_unwritable(folder, os.strerror(errno.EACCES)))


def _unwritable(folder: Path, reason: str) -> str:
    return (
        f"The published lake {folder} cannot be written ({reason}): give this user the right to, or name another place "
        "as `published_lake` in .dlt/config.toml."
    )


def write(copy: Path, spill: Path, readers: Readers, *, clears: bool = False) -> None:
    """Makes the lake, where one is wanted, what the copy is. `clears` leaves no earlier version of any table.

    A folder of this machine is for these readers, as the copy is. ConversyncError where the lake could not be finished:
    what was replaced by then is new, everything else as it was.
    """
    lake = wanted()
    if lake is None:
        return
    remember(*(value for name, value in os.environ.items() if _SECRET.fullmatch(name)))
    with _told(lake, "every table"), _readable(lake.folder, readers), _opened(copy, spill) as connection:
        there = lake.tables()
        found, left = lake_tables.tables(connection)
        if left:
            log.warning(
                "The published lake leaves out what has names that no lake takes: %s.", "; ".join(left)
            )
        failed = list(_failed(connection, lake, there, found, clears=clears))
        for place in there.strays({table.place for table in found}):
            with _told(lake, str(place)):
                there.drop(place)
        if failed:
            more = f" {len(failed) - 1} more could not be written." if len(failed) > 1 else ""
            raise ConversyncError(f"{failed[0]}{more}") from failed[0]


def _failed(
    connection: Connection, lake: Lake, there: Tables, tables: Sequence[LakeTable], *, clears: bool
) -> Iterator[ConversyncError]:
    """Writes these; what kept one from it holds up no other.

    ConversyncError where that took long: what lies there does not answer, and no other table would do better.
    """
    spent = 0.0
    for table in tables:
        began = time.monotonic()
        try:
            with _told(lake, str(table.place)):
                _write(connection, there, table, 0 if clears else lake.hours, clears=clears)
        except ConversyncError as error:
            spent += time.monotonic() - began
            if spent > PATIENCE:
                raise ConversyncError(f"{error} What comes after it was not tried.") from error
            yield error


def _write(connection: Connection, there: Tables, table: LakeTable, hours: int, *, clears: bool) -> None:
    state = table.state(connection)
    is_new = there.state(table.place) != state
    if is_new:
        there.replace(table, state, table.batches(connection))
    there.describe(table)
    there.clean(table.place, hours, thoroughly=is_new or clears)


@contextmanager
def _told(lake: Lake, what: str) -> Iterator[None]:
    """Says of an error what it was that it stopped: the formats' libraries and stores have errors of all kinds."""
    try:
        yield
    except ConversyncError:
        raise
    except Exception as error:
        said = _COLOURS.sub("", str(error))
        told = (
            DISK_FULL
            if any(words in said for words in NO_SPACE)
            else f"It says: {quoted(said, _MOST_WORDS)}."
        )
        raise ConversyncError(
            f"The copy for readers was published, but not the lake {lake.address}: {what} is as it was. {told}"
        ) from error


@contextmanager
def _opened(copy: Path, spill: Path) -> Iterator[Connection]:
    import duckdb

    with duckdb.connect(str(copy), read_only=True, config=duckdb_limits.limits()) as connection:
        connection.execute("set timezone = 'UTC'")
        confined_sql.close(connection, spill)
        yield connection


@contextmanager
def _readable(folder: Path | None, readers: Readers) -> Iterator[None]:
    """What is made in the folder meanwhile is for its readers, and in the end all of it; without a mode, for us."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    mode, group = readers.mode, readers.group
    if mode is None:
        yield
        return
    _settle(folder, mode, group)
    before = os.umask(0o777 & ~(mode | (mode & 0o444) >> 2))
    try:
        yield
    finally:
        os.umask(before)
        for path, folders, names in os.walk(folder):
            for name in (*folders, *names):
                _settle(Path(path, name), mode, group)


def _settle(path: Path, mode: int, group: int | None) -> None:
    """Mode and group of a file, or of a folder, which hands its group on to what is made in it."""
    found = path.lstat()
    if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode):
        return
    if group is not None and group != found.st_gid:
        os.chown(path, -1, group)
    if stat.S_ISDIR(found.st_mode):
        mode |= (mode & 0o444) >> 2 | (stat.S_ISGID if group is not None else 0)
    if stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)
