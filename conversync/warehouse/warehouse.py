"""The place that is written to: its lock, its dlt destination, a fresh working directory for every run."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversync import dlt_shortcuts
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.settings.registry import nearest
from conversync.types import Connection
from conversync.warehouse import confined_sql, duckdb_limits, files, lake, unstaged, write_lock
from conversync.warehouse.waiting import Waiting, acquire
from conversync.warehouse.working_folder import WorkingFolder

# Set before dlt starts: it tells its makers nothing, and leaves signals to us (see also
# conversync/settings/dlt_settings.py).
DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__INTERCEPT_SIGNALS": "false",
    "RUNTIME__SENTRY_DSN": "",
    "RUNTIME__SLACK_INCOMING_HOOK": "",
}
# As above, unless somebody set it: who has Airflow installed has not asked for its secrets by that; and of rows that
# are as long as they may be, five thousand at a time are several times that in memory.
DLT_DEFAULTS = {"PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false", "DATA_WRITER__BUFFER_MAX_ITEMS": "1000"}
# How our tables are written, by dlt's names for it: both are needed.
MERGES = {
    "scd2": "close a statement and open another (scd2)",
    "upsert": "put a row in another's place (upsert)",
}
# Destinations of dlt's that keep nothing by themselves.
NO_PLACES = frozenset({"destination", "dummy"})
# What in a path is no part of a name to all who read it: dlt fills in %, DuckDB quotes the files of a load with ',
# globs with ?, and reads = as a partition; dbt cuts an address at # and ?.
_UNFIT = re.compile(r"[%'?#=\x00-\x1f\x7f]")
# What the system says, and DuckDB quotes, where nothing more can be written; and what we say then.
NO_SPACE = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
DISK_FULL = (
    "The disk is full, or a limit on its use is reached; what was committed before is safe. "
    "Make room and run it again."
)


@dataclass(frozen=True)
class Warehouse:
    """Where tables are kept: a DuckDB file, or another dlt destination by its name.

    A link is resolved here, once: the file has one lock, one journal and one log of DuckDB's, whatever it is called.
    """

    path: Path
    destination: str = "duckdb"
    _held: list[write_lock.Right] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.destination == "duckdb":
            object.__setattr__(self, "path", _resolved(self.path))
        if self.destination == "duckdb" and self.path.is_dir():
            raise SettingsError(
                f"The warehouse {self.path} is a folder; name a file, such as warehouse.duckdb."
            )
        if self.destination == "duckdb":
            files.refuse_planted(self.path)
        if self.destination == "duckdb" and (signs := _UNFIT.findall(str(self.path))):
            held = " or ".join(
                dict.fromkeys(sign if sign.isprintable() else "control character" for sign in signs)
            )
            raise SettingsError(
                f"The path of the warehouse ({str(self.path)!r}) may hold no {held}, which dlt, DuckDB or dbt would "
                "take for something else: name another place."
            )

    def check_destination(self) -> None:
        """SettingsError for a destination that dlt does not know, or that keeps no statements."""
        if self.destination == "duckdb":
            return
        from conversync.dlt_internals import (
            Destination,
            DestinationReference,
            UnknownDestinationModule,
        )

        try:
            found = Destination.from_reference(self.destination)
        except UnknownDestinationModule:
            known = sorted({ref.rpartition(".")[2] for ref in DestinationReference.DESTINATIONS} - NO_PLACES)
            near = nearest(self.destination, known)
            meant = f"did you mean {near}?" if near else f"dlt knows {', '.join(known)}."
            raise SettingsError(
                f'There is no destination "{self.destination}": {meant} A name of your own needs a destination_type in '
                f"[destination.{self.destination}]."
            ) from None
        can = () if found is None else found.capabilities().supported_merge_strategies or ()
        if lacking := [what for strategy, what in MERGES.items() if strategy not in can]:
            raise SettingsError(
                f'The destination "{self.destination}" cannot {lacking[0]}, so what is read twice would stand there '
                "twice: name one that can, such as duckdb or postgres."
            )

    def check_name(self) -> None:
        """SettingsError for a file with a second name (a hard link): each would have a lock and books of its own.

        Of a link by name the file is known (see above); of this one nobody can tell the other name.
        """
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            if self.destination == "duckdb" and self.path.stat().st_nlink > 1:
                raise SettingsError(
                    f"The file {self.path} has another name, too (a hard link), under which a second run could write "
                    "to it: remove that name (find -samefile tells it), or make a symbolic link of it."
                )

    def __str__(self) -> str:
        return str(self.path) if self.destination == "duckdb" else self.destination

    @property
    def home(self) -> Path:
        """The folder of what a run needs beside the warehouse; nothing in it outlives the need of a run."""
        return self.path.parent / ".conversync"

    @property
    def lock_path(self) -> Path:
        """The file whose flock is the right to write; where no other user can open it, who could hold it for ever."""
        if self.destination == "duckdb":
            return self.home / f"{self.path.name}.lock"
        fingerprint = hashlib.sha256(self.destination.encode()).hexdigest()[:12]
        return self.home / f"{self.destination}-{fingerprint}.lock"

    @contextmanager
    def locked(
        self, wait: float = 0, what: str = "", names: Sequence[str] = (), *, together: bool = False
    ) -> Iterator[Path]:
        """The right to write, and a fresh dlt working directory; LockedError after `wait` seconds without.

        The lock is the kernel's: it ends with the process, however that ends. What a killed run left behind in
        the working directories is removed. On a server, `names` is what is written there (see write_lock.py): only
        within is it let. `what` tells others what holds them. `together`: with all who take it so, to write in turns.
        """
        self.check_name()
        until = time.monotonic() + wait
        with self._writable():
            handle = files.lock_file(files.private_folder(self.home) / self.lock_path.name)
        with handle, files.made_as(self.home):
            acquire(handle, wait, f"Another run holds {self}", together=together)
            with self._writable():
                ours = WorkingFolder(self.home / f"runs-{self.lock_path.stem}", together=together)
            # dlt puts files of its own where temporary files go.
            before, tempfile.tempdir = tempfile.tempdir, str(ours.path)
            left = max(0.0, until - time.monotonic())
            try:
                with ours, self.reserved(names, what, left, together=together) as held:
                    self._held.append(held)
                    yield ours.path
            finally:
                self._held.clear()
                tempfile.tempdir = before

    @contextmanager
    def reserved(
        self, names: Sequence[str], what: str, wait: float, *, together: bool = False
    ) -> Iterator[write_lock.Right]:
        """The right alone, where the destination has it for several machines."""
        there = () if self.destination == "duckdb" else names
        with write_lock.taken(self.destination, there, what, wait, together=together) as held:
            yield held

    @property
    def right(self) -> write_lock.Right:
        """What is held of the destination, while it is `locked`."""
        return self._held[-1]

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in {
                errno.EACCES,
                errno.EPERM,
                errno.EROFS,
                errno.ENOTDIR,
                errno.EEXIST,
                errno.ENOENT,
            }:
                raise
            raise SettingsError(
                f"The warehouse {self} cannot be written ({error.filename}: {error.strerror}): "
                "give this user the right to, or name another place with --warehouse."
            ) from None

    @property
    def is_postgres(self) -> bool:
        """Whether it lies on a PostgreSQL, under whatever name; of a destination that is there (see above)."""
        return self.destination != "duckdb" and write_lock.has_locks(self.destination)

    def exists(self) -> bool:
        """Whether there may be something to read; only a file can be looked at without asking the destination."""
        return self.destination != "duckdb" or self.path.exists()

    @contextmanager
    def held(self, wait: float, folder: Path) -> Iterator[Any]:
        """Keeps the DuckDB file open for the whole run, so that no reader can come between two windows.

        The connection is what comes out; None for other destinations.

        What does not fit into memory goes to the run's `folder`: beside the file, a killed run would leave it. No other
        file is within reach of what runs meanwhile (see conversync/warehouse/confined_sql.py): who writes, holds.
        LockedError if a reader has it open for longer than `wait` seconds.
        """
        if self.destination != "duckdb":
            yield None
            return
        import duckdb

        self._refuse_what_is_no_duckdb()
        waiting = Waiting(wait, f"Somebody has {self.path} open")
        while True:
            try:
                connection = duckdb.connect(str(self.path))
                break
            except duckdb.Error as error:
                if "Could not set lock on file" not in str(error):
                    raise self._refusal(str(error)) from error
                waiting.go_on("close that session, or wait for it with --wait 30m")
        with connection:
            # Once, here: dlt sets its own settings for each connection, and these cannot be set again.
            confined_sql.close(connection, folder)
            yield connection

    def reader(self) -> Connection:
        """A session on the DuckDB file that may only read; LockedError while somebody holds it who writes."""
        import duckdb

        self._refuse_what_is_no_duckdb()
        try:
            connection = duckdb.connect(str(self.path), read_only=True)
        except duckdb.Error as error:
            if "Could not set lock on file" in str(error):
                raise LockedError(
                    f"A run, or somebody who writes, holds {self.path}; try again later."
                ) from None
            raise self._refusal(str(error)) from error
        confined_sql.close(connection)
        return connection

    def check_opens(self) -> None:
        """Raises what `reader` does, where there is a DuckDB file: before somebody else opens it, who says less."""
        if self.destination == "duckdb" and self.path.exists():
            self.reader().close()

    def _refuse_what_is_no_duckdb(self) -> None:
        """DuckDB would fetch an extension from the network for some files that are not its own.

        And it would take over a log that another user put beside the file.
        """
        files.refuse_planted(self.path)
        log_file = self.path.with_name(f"{self.path.name}.wal")
        with suppress(FileNotFoundError):
            if log_file.lstat().st_uid != self.path.stat().st_uid:
                files.refuse_others(log_file)
        with suppress(FileNotFoundError, PermissionError):
            if not is_duckdb(self.path):
                raise self._refusal("it does not begin as one")

    def _refusal(self, reason: str) -> ConversyncError:
        if any(words in reason for words in NO_SPACE):
            return ConversyncError(DISK_FULL)
        if any(os.strerror(number) in reason for number in (errno.EACCES, errno.EPERM, errno.EROFS)):
            return SettingsError(
                f"{self.path} cannot be written: give this user the right to, or name another place with --warehouse."
            )
        if "newer version of DuckDB" in reason:
            return SettingsError(
                f"{self.path} was written by a newer version of DuckDB than {_duckdb_version()}, which is installed "
                "here. It was left as it is: run the version of Conversync that wrote it, or a later one."
            )
        return SettingsError(
            f"{self.path} cannot be opened as a DuckDB file ({reason.splitlines()[0]}). It was left as it is: "
            "restore it from a copy, or name another place with --warehouse."
        )

    def dlt_destination(
        self, datasets: Sequence[str] = (), *, read_only: bool = False, spill: Path | None = None
    ) -> Any:
        """The dlt destination; SettingsError for a file whose name DuckDB would confuse with a dataset.

        What only reads reaches no other file, but `spill`, where what does not fit into memory goes, instead of
        beside the file; what writes is to be `held`, and elsewhere is let only while it is `locked`.
        """
        import dlt

        if self.destination != "duckdb":
            return lake.settled(
                write_lock.patient(self.destination)
                if read_only
                else write_lock.fenced(self.destination, *self._held)
            )
        if self.path.stem in datasets:
            raise SettingsError(
                f"The warehouse may not be called {self.path.name}: DuckDB could not tell the file from the dataset "
                f"{self.path.stem}. Call it warehouse.duckdb."
            )
        from conversync.dlt_internals.duckdb import DuckDbCredentials

        credentials = DuckDbCredentials(str(self.path), read_only=read_only)
        credentials.global_config = {
            **duckdb_limits.limits(),
            "preserve_insertion_order": False,
            **({"temp_directory": str(spill)} if spill else {}),
            **(confined_sql.CLOSED if read_only else {}),
        }
        destination = dlt.destinations.duckdb(credentials, supports_transactions=True)
        return unstaged.as_they_lie(dlt_shortcuts.once(destination))


def is_duckdb(path: Path) -> bool:
    """Whether a file begins as DuckDB's do."""
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _resolved(path: Path) -> Path:
    """The file itself; the path as it was given where it is that already.

    SettingsError for links in a circle, and for a link of another user's in a folder that is not theirs.
    """
    try:
        if path.is_symlink():
            files.refuse_others(path)
        real = path.resolve()
    except (OSError, RuntimeError):
        raise SettingsError(
            f"The path of the warehouse ({path}) leads nowhere: its links go in a circle."
        ) from None
    return path if real == path.absolute() else real


def settle_dlt(log_level: str) -> None:
    """Gives dlt the settings that tables and safety depend on, before it is first used."""
    os.environ.update(DLT_SETTINGS)
    for name, value in {**DLT_DEFAULTS, "RUNTIME__LOG_LEVEL": log_level}.items():
        os.environ.setdefault(name, value)


def settle_temporary_files(folder: Path) -> None:
    """Has temporary files go to `folder` where the system has no place for them; SettingsError if that is none, too.

    Asks the places that `tempfile` would try, without its trial file, which a kill would leave behind.
    """
    named = [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
    if any(map(_takes_files, [*named, "/tmp", "/var/tmp", "/usr/tmp", str(Path().absolute())])):  # noqa: S108 - only looked at
        return
    if not _takes_files(folder):
        whose = f", which belongs to {files.owner(folder.stat().st_uid)}," if folder.is_dir() else ""
        raise SettingsError(
            f"There is no place for temporary files: neither /tmp nor {folder}{whose} can be written. "
            "Have that folder handed over to this user, or set TMPDIR to one that can be written."
        )
    tempfile.tempdir = str(folder)


def _takes_files(place: str | Path) -> bool:
    return Path(place).is_dir() and os.access(place, os.W_OK | os.X_OK)


def _duckdb_version() -> str:
    import duckdb

    return duckdb.__version__
