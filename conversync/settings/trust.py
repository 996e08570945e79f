"""Who else could change what we are told: modes and owners of the settings files, and of the folders that they are in.

Whoever can write a settings file decides what we do. Where another user of the machine could, it is a warning; where
the file names a program that we start, a query that we run, an address that we tell secrets or money, or where what we
hold goes and who reads it, it is refused.
Root is nobody else, nor is a group that has no other member. What lies on a file system that is mounted read-only
nobody changes, and in a folder with the sticky bit only the owner replaces a file.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conversync.errors import SettingsError
from conversync.settings import lookup
from conversync.warehouse import files

FILES = ("secrets.toml", "config.toml")
# The owner whose settings are taken besides our own and root's: a name or a number, for who deploys for another user.
TRUSTED = "CONVERSYNC_SETTINGS_OWNER"
# What decides where something goes or what is run, wherever it stands ...
_NAMES = frozenset(
    {
        *("alert_command", "alert_webhook", "proxy", "query", "from", "credentials", "destination_type"),
        *("warehouse", "published", "published_readers", "publish_personal", "send_player_ids"),
        *("published_lake", "published_lake_catalog"),
    }
)
_END = "_url"
# ... and sections that do, whatever they hold.
_SECTIONS = frozenset({"destination", "providers"})


@dataclass(frozen=True)
class Weak:
    """A place that somebody else could change: who, as the middle of a sentence, and the command that ends it."""

    path: Path
    who: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.who} can change {self.path}; end it with: {self.way_out}"


def refuse(path: Path, document: Mapping[str, object]) -> None:
    """SettingsError where somebody else could change a file that names a program, a query, an address or a place."""
    named = list(dict.fromkeys(_powers(document)))
    weak = next(_weak([path, *_folders(path)]), None) if named else None
    if weak is not None:
        raise SettingsError(
            f"{path} names {', '.join(named)}, and {weak.who} can change {weak.path}, so it was not followed: "
            f"{weak.way_out}"
        )


def refuse_mounted(variable: str, name: str, path: Path) -> None:
    """As `refuse`, of a file that a variable names, as BESITOS_URL_FILE does."""
    named = name.rpartition("__")[2].lower().removeprefix("conversync_")
    if _is_power(named) and (weak := next(_weak([path, path.parent]), None)):
        raise SettingsError(
            f"{variable} names {path}, and {weak.who} can change {weak.path}, so it was not followed: {weak.way_out}"
        )


def warnings() -> list[str]:
    """A sentence for each place of the project's settings that somebody else could change."""
    there = [path for name in FILES if (path := lookup.project_dir() / ".dlt" / name).exists()]
    places = [place for path in there for place in (path, *_folders(path))]
    return [str(weak) for weak in _weak(list(dict.fromkeys(places)))]


def weakness(path: Path) -> Weak | None:
    """How somebody else could change a file or a folder, if so; None too where it is not there."""
    return next(_weak([path]), None)


def open_above(path: Path) -> Iterator[Path]:
    """The folders above a place, there or not, in which everybody, or another user, could put something in its way."""
    for folder in path.absolute().parents:
        with suppress(OSError):
            found = folder.stat()
            is_open = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
            if is_open or found.st_uid not in _ours():
                yield folder


def _folders(path: Path) -> list[Path]:
    """The folders whose writers could put another file in the place of this one, up to the project's."""
    above = [path.parent, lookup.project_dir().absolute()]
    if path.is_symlink():
        above.append(Path(os.path.realpath(path)).parent)
    return above


def _powers(table: Mapping[str, object], section: tuple[str, ...] = ()) -> Iterator[str]:
    for name, value in table.items():
        if _is_power(name) or _SECTIONS.intersection(section):
            yield f"[{'.'.join(section)}] {name}" if section else name
        elif isinstance(value, Mapping):
            yield from _powers(value, (*section, name))


def _is_power(name: str) -> bool:
    return name in _NAMES or name.endswith(_END)


def _weak(paths: list[Path]) -> Iterator[Weak]:
    for path in paths:
        try:
            link, found = path.lstat(), path.stat()
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                continue
        except OSError:
            continue
        name = shlex.quote(str(path))
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in _ours():
            yield Weak(path, files.owner(link.st_uid), f"chown -h {os.geteuid()} {name}")
        elif found.st_uid not in _ours():
            yield Weak(path, files.owner(found.st_uid), f"chown {os.geteuid()} {name}")
        elif (mode := _open(found)) and (who := _who(found, mode)):
            yield Weak(path, who, f"chmod {mode} {name}")


def _open(found: os.stat_result) -> str:
    """What closes it for others who may write; nothing for a folder in which only the owner replaces a file."""
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""
    if found.st_mode & stat.S_IWOTH:
        return "go-w"
    return "g-w" if found.st_mode & stat.S_IWGRP else ""


def _who(found: os.stat_result, mode: str) -> str | None:
    """Who may write then; None for a group in which nobody else is."""
    if mode == "go-w":
        return "everyone on this machine"
    group = _others_in(found.st_gid)
    return f"the group {group}" if group else None


def _ours() -> set[int | None]:
    """Whose files are as good as our own."""
    return {os.geteuid(), 0, _trusted_owner()}


def _trusted_owner() -> int | None:
    given = os.environ.get(TRUSTED)
    if not given:
        return None
    try:
        return int(given) if given.isdigit() else pwd.getpwnam(given).pw_uid
    except KeyError:
        raise SettingsError(f'{TRUSTED} is "{given}", and there is no such user.') from None


def _others_in(number: int) -> str | None:
    """The name of a group in which others are; None for root's, and for one that is this user's alone."""
    if number == 0:
        return None
    try:
        group = grp.getgrgid(number)
    except KeyError:
        return None if number == os.getegid() else str(number)
    return group.gr_name if _others(group) else None


def _others(group: grp.struct_group) -> set[str]:
    """Who is in it, but this user and root."""
    me, number = os.geteuid(), group.gr_gid
    others = {one.pw_name for one in pwd.getpwall() if one.pw_gid == number and one.pw_uid not in (me, 0)}
    return others | {name for name in group.gr_mem if name != "root" and _number(name) != me}


def _number(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
