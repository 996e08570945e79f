"""Files and folders that we make: ours alone, whatever the umask, and never through what somebody else put there.

What a run needs beside the warehouse lies in a folder that only its owner can enter (`private_folder`): no other user
of the machine can hold a lock there, guess a name, or plant a link. What takes another file's place is written whole in
a folder like that beside it, and then takes it at once (`replacing`).

A team whose members load with users of their own says so with the folder that it works in: one that its group may write
and that hands its group on (`chmod 2770`). In there, what we make is the group's, too.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from conversync.errors import SettingsError

log = logging.getLogger("conversync")

ALONE = 0o077
TEAM = 0o007

_before: int | None = None


def keep_alone() -> None:
    """From now on, what this process makes is ours alone, also by libraries; what a child makes, too."""
    global _before
    _before = os.umask(ALONE)


def before() -> int:
    """The umask that this process was started with, for a program of the user's; -1, which changes none, else."""
    return -1 if _before is None else _before


@contextmanager
def made_as(folder: Path) -> Iterator[None]:
    """What is made meanwhile is ours alone; the team's, too, where the folder is a team's."""
    before = os.umask(TEAM if _is_a_teams(folder.stat()) else ALONE)
    try:
        yield
    finally:
        os.umask(before)


def owner(uid: int) -> str:
    """A user, for a sentence: the name, where this system knows one."""
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with the number {uid}"


def private_folder(path: Path) -> Path:
    """The folder, made where it is not there yet: whoever writes in it is us, or a team of ours.

    SettingsError for one that another user made, for what is no folder, and for another user's link. OSError where it
    cannot be made. One that was there keeps its mode, but that nobody else may write in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if _is_a_teams(path.parent.stat()):
            path.chmod(0o2770)
    link = path.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in {os.geteuid(), 0}:
        raise planted(path, f"is a link of {owner(link.st_uid)}")
    found, parent = path.stat(), path.parent.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise planted(path, f"is no folder, and belongs to {owner(found.st_uid)}")
    if not _is_trusted(found, parent):
        raise planted(path, f"belongs to {owner(found.st_uid)}")
    if found.st_mode & stat.S_IWOTH:
        path.chmod(stat.S_IMODE(found.st_mode) & ~stat.S_IWOTH)
    return path


def lock_file(path: Path) -> IO[str]:
    """Opens the file of a lock, in a folder that `private_folder` gave; only those who may write there can open it.

    SettingsError for a link, for what is no file, and for a file of somebody who may not write in the folder.
    """
    try:
        handle = os.open(
            path,
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
            _file_mode(path.parent),
        )
    except OSError:
        with suppress(FileNotFoundError):
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise planted(path, f"is a link of {owner(found.st_uid)}") from None
        raise
    found, folder = os.fstat(handle), path.parent.stat()
    if not stat.S_ISREG(found.st_mode) or not _is_trusted(found, folder):
        os.close(handle)
        raise planted(path, f"is none of our files, and belongs to {owner(found.st_uid)}")
    if found.st_uid == os.geteuid():
        os.fchmod(handle, _file_mode(path.parent))
    return open(path, "r+", opener=lambda *_: handle)


def new_file(path: Path) -> None:
    """Makes an empty file in a folder that `private_folder` gave; one that is there stays as it is.

    SettingsError for one, or for a link, of somebody who may not write in the folder.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _file_mode(path.parent)))
    except FileExistsError:
        refuse_others(path)


def refuse_others(path: Path) -> None:
    """SettingsError for a file or a link of somebody who may not write in its folder; nothing where there is none."""
    with suppress(FileNotFoundError):
        if not _is_trusted(path.lstat(), path.parent.stat()):
            raise planted(path, f"belongs to {owner(path.lstat().st_uid)}")


def refuse_planted(path: Path) -> None:
    """SettingsError for what is no regular file, and for somebody else's where others can put files.

    In a folder that only its owner can write, another user's file is what the owner wants there; so it is in one that
    another user shares with a group.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise planted(path, f"is no regular file, and belongs to {owner(found.st_uid)}")
        folder = path.parent.stat()
        is_ours_and_shared = folder.st_mode & stat.S_IWGRP and folder.st_uid == os.geteuid()
        if folder.st_mode & stat.S_IWOTH or is_ours_and_shared:
            refuse_others(path)


def read(path: Path) -> bytes:
    """What a regular file holds; SettingsError for anything else, such as a pipe, which could be waited for for ever.

    OSError where it cannot be read.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise SettingsError(
                f"{path} is no regular file, so it was not read: put a file with the settings in its place."
            )
        return file.read()


def refuse_planted_folder(path: Path, setting: str, *, is_named: bool) -> None:
    """SettingsError for somebody else's link in a folder's place, through which we would write elsewhere.

    So for a folder of theirs, too, that stands, unnamed by anybody, where everyone can make one. Who may write beside
    it anyway is nobody else.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        found, above = path.lstat(), path.parent.stat()
        is_link = stat.S_ISLNK(found.st_mode)
        if _is_trusted(found, above) or not (is_link or (above.st_mode & stat.S_IWOTH and not is_named)):
            return
        what = f"is a link of {owner(found.st_uid)}" if is_link else f"belongs to {owner(found.st_uid)}"
        raise planted(path, what, f"as `{setting}` in .dlt/config.toml")


@contextmanager
def replacing(target: Path, *, mode: int | None = None, group: int | None = None) -> Iterator[Path]:
    """A place for a new file that takes the target's, whole and on the disk, if all goes well; else nothing changed.

    Without a mode, it keeps mode and group of the file that it replaces, which somebody may have chosen; where there is
    none it is ours alone. A link in the target's place is replaced, and not followed.
    """
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
    new = folder / target.name
    try:
        yield new
        if mode is None:
            like(new, target)
        else:
            _settle(new, target, mode, group)
        new.replace(target)
        sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(target: Path, text: str, *, mode: int | None = None, group: int | None = None) -> None:
    """Text in UTF-8, whole, in the target's place (see `replacing`)."""
    with replacing(target, mode=mode, group=group) as new:
        new.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def clear_unfinished(target: Path) -> None:
    """Removes what our runs that were killed left of `replacing`; what others put there under such a name stays."""
    for left in target.parent.glob(f".{target.name}.*.new*"):
        with suppress(OSError):
            found = left.lstat()
            if found.st_uid != os.geteuid():
                continue
            if stat.S_ISDIR(found.st_mode):
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, now or once it is made: through links, hard links and `..`."""
    real, its = Path(os.path.realpath(one)), Path(os.path.realpath(other))
    if real == its:
        return True
    with suppress(OSError):
        return real.samefile(its)
    with suppress(OSError):
        return real.name == its.name and real.parent.samefile(its.parent)
    return False


def is_within(path: Path, folder: Path) -> bool:
    """Whether the path lies in the folder, whatever either is called."""
    real = Path(os.path.realpath(path))
    return any(is_same(above, folder) for above in real.parents)


def like(new: Path, before: Path) -> None:
    """Gives a new file mode and group of the one that it is to replace; where there is none, it is ours alone."""
    mode, group = _as_before(before)
    _settle(new, before, mode, group)


def sync(path: Path) -> None:
    """Has a file, or the names in a folder, on the disk when it returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def planted(path: Path, what: str, how: str = "with --warehouse") -> SettingsError:
    """The error for something in a place of ours that is not ours."""
    return SettingsError(
        f"{path} {what}, so nothing was written there: remove it, or name another place {how}."
    )


def _settle(new: Path, target: Path, mode: int, group: int | None) -> None:
    handle = os.open(new, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if group is not None and group != os.fstat(handle).st_gid:
            try:
                os.fchown(handle, -1, group)
            except PermissionError:
                if mode & stat.S_IRWXG:
                    log.warning("%s", _lost(target, mode, group))
                mode &= ~stat.S_IRWXG  # what was meant for one group is nothing for another
        os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def _lost(target: Path, mode: int, group: int) -> str:
    """That a group reads a file no more, and how it does again."""
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    place = shlex.quote(str(target))
    return (
        f"{target} was for the group {name}, of which this user is no member, so the group cannot read it now: have "
        f"this user added to the group, and then: chgrp {shlex.quote(name)} {place} && chmod {mode:o} {place}"
    )


def _as_before(target: Path) -> tuple[int, int | None]:
    """Mode and group of a file of ours, of root's, or of our team's: anybody else would let themselves in."""
    with suppress(FileNotFoundError):
        found, folder = target.lstat(), target.parent.stat()
        team = _is_a_teams(folder) and found.st_gid == folder.st_gid
        if stat.S_ISREG(found.st_mode) and (found.st_uid in {os.geteuid(), 0} or team):
            return stat.S_IMODE(found.st_mode), found.st_gid
    return 0o600, None


def _file_mode(folder: Path) -> int:
    return 0o660 if _is_a_teams(folder.stat()) else 0o600


def _is_a_teams(folder: os.stat_result) -> bool:
    shared = stat.S_ISGID | stat.S_IWGRP
    return folder.st_mode & shared == shared and not folder.st_mode & stat.S_IWOTH


def _is_trusted(found: os.stat_result, parent: os.stat_result) -> bool:
    """Whether it is ours, or belongs to somebody who could put anything there anyway."""
    if found.st_uid in {os.geteuid(), 0, parent.st_uid}:
        return True
    return _is_a_teams(parent) and found.st_gid == parent.st_gid
