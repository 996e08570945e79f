"""What people provide settings in: the two files of `.dlt/`, and variables that name a file (`BESITOS_TOKEN_FILE`).

dlt reads the files itself; here they are read first, so that one that cannot be read is a sentence, and so that dlt
reads what we read: the project's own two files, with or without a byte order mark, and nothing of a home directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from conversync.errors import SettingsError
from conversync.send import options
from conversync.settings import accounts, registry, trust
from conversync.settings.lookup import project_dir
from conversync.settings.registry import FILE, Strangers
from conversync.settings.trust import FILES
from conversync.settings.where_set import FROM_FILES, shared
from conversync.types import Document
from conversync.vendors import label
from conversync.warehouse import files

_MOST_LINES = 2_000
_AT = re.compile(r"line (\d+)")


def settle() -> Strangers:
    """Reads all that is provided, and makes dlt read the same; what is no setting of ours, and belongs to others.

    SettingsError for a file that cannot be read, and for names that are nearly ours: before any request.
    """
    from conversync.settings.project import Project, use

    strangers = Strangers()
    _refuse_another_folder()
    documents = dict[Path, Document]()
    for path in (project_dir() / ".dlt" / name for name in FILES):
        if (document := document_of(path)) is not None:
            documents[path] = document.unwrap()
            trust.refuse(path, documents[path])
    named = [account for document in documents.values() for account in accounts.in_file(document)]
    registry.take_accounts([*named, *accounts.in_environment(os.environ)])
    for path, document in documents.items():
        registry.in_file(document, str(path), strangers)
    _settle_environment(strangers)
    use(Project)
    options.check(accounts.targets())
    return strangers


def settle_environment() -> None:
    """As `settle`, the environment alone."""
    registry.take_accounts(accounts.in_environment(os.environ))
    _settle_environment(Strangers())


def _settle_environment(strangers: Strangers) -> None:
    registry.in_environment(os.environ, strangers)
    strangers.wrong += list(accounts.wrong())
    if strangers.wrong:
        raise SettingsError(" ".join(strangers.wrong))
    take_files(os.environ)


def shared_secrets() -> Iterator[str]:
    """A sentence for each secret in config.toml that does not count, as another place has it, too."""
    from conversync.dlt_internals import is_secret_hint

    document = document_of(project_dir() / ".dlt" / "config.toml") or {}
    for path, hint in registry.known().paths.items():
        if (
            not is_secret_hint(hint)
            or path[:1] != ("sources",)
            or len(path) < len(("sources", "vendor", "name"))
        ):
            continue
        _, vendor, *account, name = path
        source = label(vendor, account[-1] if account else "")
        if any(_holds(document, (*section, name)) for section in accounts.sections(source, name)):
            yield from shared(name, source)


def document_of(path: Path) -> Any:
    """A TOML file with its comments (a tomlkit document); None where there is none.

    SettingsError, with file and line, for one that cannot be read; it quotes nothing of it, for it may hold secrets.
    """
    import tomllib

    import tomlkit

    text = text_of(path)
    if text is None:
        return None
    try:
        tomllib.loads(text)  # names the line of every mistake
        return tomlkit.parse(text)
    except (ValueError, RecursionError) as error:
        line = _AT.search(str(error))
        if twice := _twice(text, int(line[1]) if line else None):
            raise SettingsError(f"{path} has {twice}: keep one of them.") from None
        place = f"line {line[1]}" if line else "its end"
        raise SettingsError(
            f'{path} is not TOML: look at {place}. A setting is a line such as besitos_zone = "EST".'
        ) from None


def text_of(path: Path) -> str | None:
    """The text of a settings file; None where there is none, SettingsError for one that cannot be read."""
    try:
        return _text(files.read(path), path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): give this user the right to."
        ) from None


def _twice(text: str, line: int | None) -> str | None:
    """Which key or section a file repeats in this line (None: its last), and where it stood first.

    None where it is another mistake: where what is stated there does not stand in the lines before.
    """
    lines = text.splitlines(keepends=True)
    if len(lines) > _MOST_LINES:  # they are read again and again
        return None
    before = [_read("".join(lines[:count])) for count in range(line or len(lines))]
    begins = max(count for count, found in enumerate(before) if found is not None)
    path, what = _stated(lines, begins)
    first = next((count for count, found in enumerate(before) if _holds(found, path)), None)
    return None if first is None else f"{what} twice, in the lines {first} and {begins + 1}"


def _stated(lines: Sequence[str], at: int) -> tuple[list[str], str]:
    """The names of the section or key that a line states, and how a sentence calls it; none where it states none."""
    if header := names_in(lines[at]):
        return header, f"[{'.'.join(header)}]"
    name, is_setting, _ = lines[at].partition("=")
    if not is_setting or not (key := _path(f"{name} = 0")):
        return [], ""
    section: list[str] = next((path for one in lines[at - 1 :: -1] if (path := names_in(one))), [])
    *within, last = *section, *key
    return [*within, last], f"{last} of [{'.'.join(within)}]" if within else last


def names_in(line: str) -> list[str]:
    """The names, one within the other, of the section that begins in a line; none where it is another line."""
    return _path(line) if line.lstrip().startswith("[") else []


def _path(text: str) -> list[str]:
    """The names, one within the other, that a line states."""
    found, path = _read(text), list[str]()
    while found:
        [name] = found
        path.append(name)
        found = found[name] if isinstance(found[name], dict) else None
    return path


def _read(text: str) -> Document | None:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _holds(found: object, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return bool(path)


def _text(raw: bytes, path: Path) -> str:
    """The text of a file in UTF-8; a byte order mark at its beginning is no part of it."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
        raise SettingsError(f"{path} is not UTF-8 but UTF-16, or no text: save it as UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path} is not UTF-8 (line {line}): save it as UTF-8.") from None


def _refuse_another_folder() -> None:
    """SettingsError where DLT_CONFIG_FOLDER names settings that dlt would read, and we do not."""
    other = project_dir() / os.environ.get("DLT_CONFIG_FOLDER", ".dlt")
    if other.resolve() == (project_dir() / ".dlt").resolve():
        return
    if held := [name for name in FILES if (other / name).exists()]:
        raise SettingsError(
            f"DLT_CONFIG_FOLDER names {other}, and {' and '.join(held)} in there would not be read: settings stand in "
            f"{project_dir() / '.dlt'} alone. Move them there, or unset the variable."
        )


def take_files(environment: MutableMapping[str, str]) -> None:
    """Puts the content of the file that `<NAME>_FILE` names into the place of NAME, for every setting of ours.

    One line break at its end is left out. SettingsError where both are set, or the file cannot be read.
    """
    known = registry.known().variables
    for variable in [name for name in environment if name.upper().endswith(FILE)]:
        name = variable[: -len(FILE)]
        if name.upper() not in known or not (place := environment[variable]):
            continue
        if environment.get(name):
            raise SettingsError(f"{name} and {variable} are both set: unset one of them.")
        trust.refuse_mounted(variable, name, Path(place))
        environment[name] = _content(variable, Path(place))
        FROM_FILES[name] = variable
        del environment[variable]


def _content(variable: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")  # may be a pipe of the shell's: <(...)
    except OSError as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read ({error.strerror}).") from None
    except ValueError:
        raise SettingsError(f"{variable} names {path}, which is not text in UTF-8.") from None
    if "\0" in text:
        raise SettingsError(f"{variable} names {path}, which is not text in UTF-8.")
    return text.removesuffix("\n").removesuffix("\r")
