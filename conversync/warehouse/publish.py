"""The published copy: a file of its own, for readers, replaced as a whole after each load.

Readers of the copy never hold up a load, nor a load them: whoever has the old copy open goes on reading it. A copy
that could not be finished leaves the one before it in place.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import logging
import os
import shlex
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.settings import lookup
from conversync.warehouse import confined_sql, files, published_lake, retention, withheld_columns
from conversync.warehouse.warehouse import DISK_FULL, Warehouse, is_duckdb

log = logging.getLogger("conversync")

FOLDER = "published"
REPORT = "report.html"
OFF = "off"
ME, EVERYONE = "me", "everyone"
# What a folder of published files holds, and nothing else.
PUBLISHED = (".duckdb", ".html", ".new")
# ioctl(2) of file systems that can copy a file without its bytes (btrfs, XFS).
FICLONE = 0x40049409


def published_path(warehouse: Warehouse) -> Path | None:
    """Where the copy goes: CONVERSYNC_PUBLISHED, `published` in config.toml, or `published/` beside the warehouse.

    None where it is "off", and for destinations that are no file.
    """
    return _place(warehouse) if warehouse.destination == "duckdb" else None


def _place(warehouse: Warehouse) -> Path | None:
    """Where the copy would go, and what is for the same readers goes beside it; None where it is "off"."""
    given = lookup.preference("published", "CONVERSYNC_PUBLISHED")
    if given == OFF:
        return None
    path = (
        lookup.in_project(given, "published")
        if given
        else warehouse.path.parent / FOLDER / warehouse.path.name
    )
    refuse_ours(warehouse, path, "published copy")
    readers()
    return path


def check_published(warehouse: Warehouse) -> None:
    """SettingsError where the setting cannot work: before anything is read, and without making anything."""
    target = published_path(warehouse)
    _check_lake(warehouse, target)
    if target is None:
        return
    refuse_folder(target)
    folder = next(one for one in target.parents if os.path.lexists(one))
    if target.is_dir():
        raise SettingsError(_unwritable(target, os.strerror(errno.EISDIR)))
    refuse_another(target)
    if folder == warehouse.path.parent:
        return  # whether that can be written is the warehouse's own matter
    if not folder.is_dir():
        raise SettingsError(_unwritable(target, os.strerror(errno.ENOTDIR)))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise SettingsError(_unwritable(target, os.strerror(errno.EACCES)))


def _check_lake(warehouse: Warehouse, target: Path | None) -> None:
    """As above, of the lake that is made of the copy; on another destination, which has no copy, that is said."""
    lake = published_lake.wanted()
    if lake is None:
        return
    if warehouse.destination != "duckdb":
        log.warning(
            "published_lake is written from a DuckDB file alone, so nothing is written there from %s.",
            warehouse,
        )
        return
    if target is None:
        raise SettingsError(
            'published_lake is made of the copy for readers, and `published` is "off": name a file there, or leave '
            "published_lake out."
        )
    if lake.folder is not None:
        for one in (lake.folder, lake.folder / "table"):
            refuse_ours(warehouse, one, "published lake")
    published_lake.check()


def refuse_folder(target: Path) -> None:
    """SettingsError where the folder of what is published is another user's, who only put it there."""
    is_named = lookup.preference("published", "CONVERSYNC_PUBLISHED") is not None
    files.refuse_planted_folder(target.parent, "published", is_named=is_named)


def refuse_another(target: Path) -> None:
    """SettingsError where something stands that is no copy of a warehouse: the user's, who may have no other."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        found = target.lstat()
        if stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and not found.st_size):
            return
        if not stat.S_ISREG(found.st_mode) or not is_duckdb(target):
            raise SettingsError(
                f"{target} is no DuckDB file, so the published copy does not take its place: move it away, or name "
                'another place as `published` in .dlt/config.toml ("off" for none).'
            )


def refuse_ours(warehouse: Warehouse, path: Path, what: str) -> None:
    """SettingsError where what is to be written would take the place of the warehouse, or of what belongs to it."""
    for own in (warehouse.path, warehouse.path.with_name(f"{warehouse.path.name}.wal")):
        if files.is_same(path, own):
            raise SettingsError(f"The {what} may not be the warehouse itself ({path}): name another file.")
    for folder in (warehouse.home, lookup.project_dir() / ".dlt"):
        if files.is_within(path, folder):
            raise SettingsError(
                f"The {what} may not lie in {folder}, which is not for readers ({path}): name another file."
            )


@dataclass(frozen=True)
class Readers:
    """Who may read what is published: mode and group of its files; no mode where nothing is set."""

    mode: int | None = None
    group: int | None = None


def readers() -> Readers:
    """CONVERSYNC_PUBLISHED_READERS, or `published_readers` in config.toml: "me", "everyone", or a group of the system.

    Not set, a file keeps the mode and the group that it has, and a new one is ours alone. SettingsError for a group
    that does not exist, or that this user is no member of.
    """
    given = lookup.preference("published_readers", "CONVERSYNC_PUBLISHED_READERS")
    if given is None:
        return Readers()
    if given in (ME, EVERYONE):
        return Readers(0o600 if given == ME else 0o644)
    try:
        group = grp.getgrnam(given).gr_gid
    except KeyError:
        raise SettingsError(
            f'published_readers is "{given}", and there is no such group: name one, or say "me" or "everyone".'
        ) from None
    if os.geteuid() != 0 and group not in {*os.getgroups(), os.getegid()}:
        raise SettingsError(
            f'published_readers is "{given}", a group that this user is no member of: have it added to the group, or '
            'name another one, or say "me" or "everyone".'
        )
    return Readers(0o640, group)


def opened_for(who: Readers, folder: Path) -> None:
    """Makes the folder of what is published, and lets its readers in where nothing else is in it.

    A folder of somebody else's, or one that holds other files, stays as it is. SettingsError for another user's link.
    """
    files.refuse_planted_folder(folder, "published", is_named=True)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.stat()
    ours = found.st_uid == os.geteuid() and all(one.suffix in PUBLISHED for one in folder.iterdir())
    if who.mode is None or not (made or ours):
        return
    if who.group is not None and who.group != found.st_gid:
        os.chown(folder, -1, who.group)
    folder.chmod(stat.S_IMODE(found.st_mode) | (who.mode & 0o044) | (who.mode & 0o044) >> 2)


def _closed_above(who: Readers, folder: Path) -> Path | None:
    """The folder on the way to what is published that by its mode lets its readers no further; None where none does."""
    for above in (folder, *folder.absolute().parents):
        found = above.stat()
        is_theirs = who.group is not None and found.st_gid == who.group
        if not found.st_mode & (stat.S_IXGRP if is_theirs else stat.S_IXOTH):
            return above
    return None


def warn_of_closed(who: Readers, folder: Path) -> None:
    """Says so where somebody is to read what is published, and cannot get there."""
    if who.mode is not None and who.mode & 0o044 and (closed := _closed_above(who, folder)):
        log.warning(
            "published_readers lets others read what is in %s, but %s lets them no further: chmod o+x %s, or name a "
            "place outside of it as `published`.",
            *(folder, closed, shlex.quote(str(closed))),
        )


def report_path(warehouse: Warehouse) -> Path:
    """Where the report goes unless somebody says otherwise: beside the copy, which has the same readers.

    On another destination, which has no copy, where one would be.
    """
    return (_place(warehouse) or warehouse.path).with_name(REPORT)


def publish(
    warehouse: Warehouse, *, compact: bool = False, clears: bool = False, wait: float = 0
) -> Path | None:
    """Replaces the published copy by the warehouse as it is; where it is now, or None where there is none.

    So the lake, where one is wanted (see published_lake.py). `compact` writes every table anew and leaves out what
    deleted rows still take; `clears` leaves nothing of what stood in the lake before. LockedError if another run,
    or a session that writes, holds the warehouse for longer than `wait` seconds.
    """
    target = published_path(warehouse)
    if target is None:
        return None
    if not warehouse.path.exists():
        raise SettingsError(f"There is no warehouse {warehouse.path} to publish: run conversync load first.")
    with translate_errors(), warehouse.locked(wait) as folder:
        with warehouse.held(wait, folder) as connection:
            connection.execute("force checkpoint")
        try:
            who = readers()
            refuse_another(target)
            opened_for(who, target.parent)
            files.clear_unfinished(target)
            with files.replacing(target, mode=who.mode, group=who.group) as new:
                _copy(warehouse.path, new, folder, compact=compact)
            warn_of_closed(who, target.parent)
        except OSError as error:
            raise _refusal(target, error) from error
        published_lake.write(target, folder, who, clears=clears)
    return target


def published_after(warehouse: Warehouse, wait: float) -> Path | None:
    """`publish`; None too, with a warning, where somebody holds the warehouse by now: the next run publishes both."""
    try:
        return publish(warehouse, wait=wait)
    except LockedError as locked:
        log.warning("Nothing was published: %s", locked)
        return None


def last_written(warehouse: Warehouse) -> float:
    """When the file was last written, in seconds since 1970: a load, a send, a build, a closing, or by hand.

    A copy is made of a file that nobody writes meanwhile, so one that is older was made of something else.
    """
    wal = warehouse.path.with_name(f"{warehouse.path.name}.wal")
    return max(path.stat().st_mtime for path in (warehouse.path, wal) if path.exists())


def copy_file(source: Path, new: Path) -> None:
    """The file as it stands. DuckDB's own lock is respected: nobody can write to it meanwhile."""
    with source.open("rb") as old, new.open("wb") as copy:
        try:
            fcntl.lockf(old, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"Somebody writes to {source}; close that session and run conversync publish."
            ) from None
        if source.with_name(source.name + ".wal").exists():
            raise ConversyncError(
                f"{source} has changes that are not in the file yet: run conversync publish again."
            )
        with suppress(OSError):
            fcntl.ioctl(copy, FICLONE, old.fileno())
            return
        shutil.copyfileobj(old, copy, 1 << 24)


def _copy(source: Path, new: Path, spill: Path, *, compact: bool) -> None:
    """The file as it stands, or without what is withheld from readers (see withheld_columns.py)."""
    columns = {} if retention.publishes_all() else withheld_columns.withheld(source)
    if columns:
        withheld_columns.copy_without(source, new, columns, spill)
    else:
        (_compacted if compact else copy_file)(source, new)


def _compacted(source: Path, new: Path) -> None:
    """Every table, view and comment, written anew."""
    import duckdb

    with duckdb.connect() as connection:
        for name, path, how in (("old", source, " (read_only)"), ("new", new, "")):
            quoted = str(path).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name}{how}")
        confined_sql.close(connection)
        connection.execute("copy from database old to new")


def _refusal(target: Path, error: OSError) -> ConversyncError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return ConversyncError(f"The published copy {target} was left as it is. {DISK_FULL}")
    return ConversyncError(_unwritable(target, error.strerror or "no reason is told"))


def _unwritable(target: Path, reason: str) -> str:
    return (
        f"The published copy {target} cannot be written ({reason}): give this user the right to, or name "
        'another place as `published` in .dlt/config.toml ("off" for none).'
    )
