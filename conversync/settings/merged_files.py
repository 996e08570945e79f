"""Settings merged into files that are there already, with their comments; and what git is not to know."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from conversync import children
from conversync.errors import SettingsError
from conversync.http.secret import check_secret
from conversync.settings.providers import document_of, names_in, text_of
from conversync.settings.registry import Path as Section
from conversync.settings.toml import toml, toml_value
from conversync.types import Document

# What a secrets file holds in the place of a secret; `check` and `load` say that it is none yet.
PLACEHOLDER = "<to be filled in>"
_HEADER = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
SECRETS = ".dlt/secrets.toml"
IGNORED = f"# Secrets, and what a run makes.\n{SECRETS}\n.conversync/\npublished/\n*.duckdb\n*.duckdb.*\n"


def held(path: Path, *sections: Section) -> Document:
    """What a settings file says in these sections already, without what is empty or a placeholder."""
    document = document_of(path)
    found: Document = {}
    for section in sections:
        values = _inside({} if document is None else document.unwrap(), section)
        found |= {name: value for name, value in values.items() if _is_set(name, value)}
    return found


def names(path: Path, section: Section) -> set[str]:
    """What a settings file has in a section, placeholders too."""
    document = document_of(path)
    return set(_inside({} if document is None else document.unwrap(), section))


def _inside(document: object, section: Section) -> Document:
    for name in section:
        document = document.get(name, {}) if isinstance(document, dict) else {}
    return document if isinstance(document, dict) else {}


def _is_set(name: str, value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        check_secret(name, str(value))
    except SettingsError:
        return False
    return True


def merged(path: Path, values: Mapping[Section, Document]) -> str:
    """The text of a settings file with the values of each section in it; all else, comments too, stays as it was."""
    return filled(text_of(path) or "", values)


def filled(text: str, values: Mapping[Section, Document]) -> str:
    """The text of a TOML file with these values in it: each below its example, else at the end of its section's own.

    SettingsError, with the setting and its section, for a text into which it cannot be put.
    """
    for section, added in values.items():
        for name, value in added.items():
            is_there = name in _inside(tomllib.loads(text), section)
            if not is_there or value != PLACEHOLDER:
                text = _with(text, section, name, value, is_there=is_there)
    return text


def _with(text: str, section: Section, name: str, value: object, *, is_there: bool) -> str:
    """With one value more: in the first way in which it then says all that it said, and that."""
    wanted = tomllib.loads(text)
    for way in (_by_tomlkit,) if is_there else (_in_a_line, _as_dotted, _by_tomlkit):
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            inside = wanted
            for part in section:
                inside = inside.setdefault(part, {})
            inside[name] = value
            new = way(text, section, name, value)
            if tomllib.loads(new) == wanted:
                return new
    place = f"[{_dotted(section)}]" if section else "the lines before the first section"
    raise SettingsError(
        f"{name} cannot be added to a settings file in .dlt/ as that is written: write it there, in {place}. "
        "Nothing was written."
    )


def _in_a_line(text: str, section: Section, name: str, value: object) -> str:
    """A line of its own in the section; where there is none, in a new one at the end."""
    lines, heads, end = _lines(text)
    line = toml({name: value}).removesuffix("\n") + end
    start = next((place for place in heads[:-1] if _names(lines, place) == list(section)), None)
    if start is None:
        lines += [end] * bool(lines) + [f"[{_dotted(section)}]{end}", line]
    else:
        lines.insert(_place(lines, start + 1, heads[heads.index(start) + 1], name), line)
    return "".join(lines)


def _as_dotted(text: str, section: Section, name: str, value: object) -> str:
    """A line at the file's top, with the section before the name."""
    lines, heads, end = _lines(text)
    line = f"{_dotted(section)}.{toml({name: value})}".removesuffix("\n") + end
    lines.insert(_place(lines, 0, heads[1], name), line)
    return "".join(lines)


def _lines(text: str) -> tuple[list[str], list[int], str]:
    """The lines; which of them begin a section, between -1 and the end; and how a line ends."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += end
    heads = [place for place, one in enumerate(lines) if _HEADER.match(one) and _reads(lines[:place])]
    return lines, [-1, *heads, len(lines)], end


def _reads(lines: Sequence[str]) -> bool:
    """Whether the lines are TOML by themselves, and no text or list goes on in the next one."""
    try:
        tomllib.loads("".join(lines))
    except ValueError:
        return False
    return True


def _dotted(section: Section) -> str:
    return ".".join(part if _BARE.fullmatch(part) else toml_value(part) for part in section)


def _names(lines: Sequence[str], place: int) -> list[str]:
    """What the section that begins in a line is called; -1 is the file's top."""
    return names_in(lines[place]) if place >= 0 else []


def _place(lines: Sequence[str], start: int, end: int, name: str) -> int:
    """Where a setting goes between two lines: below its example, else below the last one, else below the comments."""
    example = re.compile(rf"#\s*{re.escape(name)}\s*=")
    own = [place for place in range(start, end) if example.match(lines[place])]
    own = own or [place for place in range(start, end) if lines[place].strip() and lines[place][0] != "#"]
    if own:
        return own[-1] + 1
    return next((place for place in range(start, end) if not lines[place].startswith("#")), end)


def _by_tomlkit(text: str, section: Section, name: str, value: object) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document
    for place, key in enumerate(section):
        if key not in table and isinstance(table, tomlkit.items.InlineTable):
            table[key] = tomlkit.inline_table()
        elif key not in table:
            table[key] = tomlkit.table(is_super_table=place + 1 < len(section))
        table = table[key]
    table[name] = value
    return tomlkit.dumps(document)


def ignored(folder: Path) -> str | None:
    """What `.gitignore` in the folder must hold for git not to know the secrets; None where nothing is missing.

    Nothing is, where one of its files says so already. A folder may come to git later.
    """
    if _knows(folder):
        return None
    path = folder / ".gitignore"
    if not path.exists():
        return IGNORED
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return text + ("" if text.endswith("\n") or not text else "\n") + f"{SECRETS}\n"


def _knows(folder: Path) -> bool:
    """Whether the secrets are ignored; without git itself, as far as the folder's own file can tell."""
    git = shutil.which("git")
    if git is not None:
        asked = subprocess.run(  # noqa: S603 - git, as the user has it
            [git, "-C", str(folder), "check-ignore", "--quiet", SECRETS],
            env=children.bare("XDG_CONFIG_HOME"),
            capture_output=True,
            check=False,
        )
        if asked.returncode in (0, 1):
            return asked.returncode == 0
    path = folder / ".gitignore"
    lines = path.read_text(encoding="utf-8", errors="replace").split() if path.exists() else []
    return any(line.strip("/") in {".dlt", SECRETS, "secrets.toml", "**/secrets.toml"} for line in lines)
