"""`conversync init`: a project's settings files, and what runs it every night."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from conversync.errors import ConversyncError, SettingsError
from conversync.settings.from_environment import Given, Sections, given
from conversync.settings.merged_files import PLACEHOLDER, filled, held, ignored, merged, names
from conversync.settings.questions import Questions, known_source
from conversync.settings.registry import Path as Section
from conversync.types import Document
from conversync.vendors import Vendor, vendors
from conversync.warehouse import files

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
WAREHOUSE = "warehouse.duckdb"


@dataclass(frozen=True)
class Wanted:
    """What to write besides the settings; `time` is the machine's."""

    folder: Path
    time: str
    systemd: bool
    dbt: bool
    force: bool


@dataclass(frozen=True)
class File:
    """A file to be written; `private`: only its owner may read it; `is_merged`: it holds what is there already."""

    path: Path
    text: str
    private: bool = False
    is_merged: bool = False

    @property
    def is_there(self) -> bool:
        """Whether something stands in its place, be it a link to nowhere."""
        return self.path.exists() or self.path.is_symlink()


@dataclass(frozen=True)
class Plan:
    """All files, and the sentences for a person afterwards."""

    files: tuple[File, ...]
    force: bool
    says: tuple[str, ...]


def plan(wanted: Wanted, sources: Sequence[str], questions: Questions | None) -> Plan:
    """What would be written. SettingsError for a source that does not exist, or where none is named or set."""
    _refuse(wanted)
    known = vendors()
    chosen = list(sources) or (questions.sources() if questions else _set_up(known))
    for name in chosen:
        known_source(name)
    if not chosen:
        raise SettingsError(
            "No source is named, and the environment holds the settings of none (what stands in the files stays): name "
            "one, such as --source besitos."
        )
    chosen = list(dict.fromkeys(chosen))
    places = [wanted.folder / ".dlt" / name for name in ("secrets.toml", "config.toml")]
    found = given(os.environ, chosen)
    taken = list(_taken(wanted, places, found))
    missing = {
        name: _completed(known[name], found, questions, _held(wanted, places, *sections_of(name)))
        for name in chosen
    }
    if not wanted.force:
        _move_where_there_is_a_place(found, places[0])
    warehouse = found.plain.get((), {}).get("warehouse", WAREHOUSE)
    config = _CONFIG_HEAD.format(warehouse=WAREHOUSE) + _sections(chosen, found, missing)
    files = [
        _settings_file(wanted, places[0], found.secrets, places, _SECRETS_HEAD),
        _settings_file(wanted, places[1], found.plain, places, config),
    ]
    files += _files_beside(wanted, warehouse)
    return Plan(tuple(files), wanted.force, (*taken, *_says(wanted, missing, found.left)))


def _taken(wanted: Wanted, places: Sequence[Path], found: Given) -> Iterator[str]:
    """That what the environment holds, secrets too, stands on the disk from now on: a sentence, where any does."""
    named = [
        name
        for sections in (found.secrets, found.plain)
        for section, values in sections.items()
        for name in values.keys() - _held(wanted, places, *_read_at(section)).keys()
    ]
    if named:
        yield (
            f"Out of the environment into these files: {', '.join(dict.fromkeys(sorted(named)))}. Delete there what is "
            "not to stand on this disk: the environment wins, with a file or without."
        )


def _refuse(wanted: Wanted) -> None:
    """SettingsError for a time that is none, and a folder in which dlt cannot work."""
    if not _TIME.fullmatch(wanted.time):
        raise SettingsError(f'--at is "{wanted.time}", which is no time: write it like 06:15.')
    if "%" in str(wanted.folder):
        raise SettingsError(
            f"{wanted.folder} holds a percent sign, and dlt cannot work there: take another folder."
        )


def _files_beside(wanted: Wanted, warehouse: str) -> Iterator[File]:
    """The files beside `.dlt/`."""
    if wanted.systemd:
        yield from (File(wanted.folder / "systemd" / name, text) for name, text in _units(wanted).items())
    if wanted.dbt:
        yield File(wanted.folder / "profiles.yml", _profile(wanted.folder / warehouse))
    if (text := ignored(wanted.folder)) is not None:
        yield File(wanted.folder / ".gitignore", text, is_merged=True)


def _move_where_there_is_a_place(found: Given, secrets: Path) -> None:
    """What has a place in secrets.toml goes there, though it is no secret: that file is read before config.toml."""
    for section, values in found.plain.items():
        for name in names(secrets, section) & values.keys():
            found.secrets.setdefault(section, {})[name] = values.pop(name)


def sections_of(source: str) -> tuple[Section, ...]:
    """Where the settings of a source are read, the nearest last."""
    return (), ("sources",), ("sources", source)


def _read_at(section: Section) -> tuple[Section, ...]:
    """Where a setting may stand that belongs to a section."""
    return sections_of(section[1]) if section[:1] == ("sources",) else (section,)


def _held(wanted: Wanted, places: Sequence[Path], *sections: Section) -> Document:
    """What the files that are there say in these sections, and are to keep."""
    return {} if wanted.force else {k: v for path in places for k, v in held(path, *sections).items()}


def _settings_file(wanted: Wanted, path: Path, values: Sections, places: Sequence[Path], fresh: str) -> File:
    """A file of its own; or where there is one, that with what is new in it: what stands in a file stays."""
    private = path.name == "secrets.toml"
    if wanted.force or not path.exists() or path.is_symlink():
        return File(path, filled(fresh, values), private)
    new: Sections = {}
    for section, added in values.items():
        kept = _held(wanted, places, *_read_at(section))
        new[section] = {name: value for name, value in added.items() if name not in kept}
    return File(path, merged(path, new), private, is_merged=True)


def write(made: Plan) -> Iterator[str]:
    """Writes all files, or none if one is there that takes nothing in; yields what was done, and what comes next."""
    there = [str(file.path) for file in made.files if not file.is_merged and file.is_there]
    if there and not made.force:
        raise SettingsError(
            f"{', '.join(there)} is there already: nothing was written. --force overwrites it."
        )
    for file in made.files:
        yield _written(file)
    yield from made.says


def _written(file: File) -> str:
    """Writes one file, and says what was done."""
    takes_in = file.is_merged and file.path.exists()
    if takes_in and file.path.read_bytes() == file.text.encode(errors="surrogateescape"):
        return f"{file.path} has all of it already"
    try:
        _put(file)
    except OSError as error:
        raise ConversyncError(f"{file.path} cannot be written ({error.strerror}).") from None
    done = "Added what is new to" if takes_in else "Wrote"
    return f"{done} {file.path}" + (" (only you can read it)" if file.private else "")


def _put(file: File) -> None:
    """Takes the place of what is there, whole; a private file is never readable for others, not for a moment."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    files.write(file.path, file.text, mode=0o600 if file.private else None)


def _set_up(known: dict[str, Vendor]) -> list[str]:
    """The sources of which the environment holds something that they require."""
    found = given(os.environ, known)
    held_of = {
        name: {*found.secrets.get(("sources", name), {}), *found.plain.get(("sources", name), {})}
        for name in known
    }
    return [name for name, vendor in known.items() if held_of[name] & set(_required(vendor.settings))]


def _required(spec: type[Any]) -> list[str]:
    from conversync.dlt_internals import is_optional_type

    hints = spec.get_resolvable_fields()
    empty = [one.name for one in fields(spec) if one.default is None and one.name in hints]
    return [name for name in empty if not is_optional_type(hints[name])]


def _completed(vendor: Vendor, found: Given, questions: Questions | None, kept: Document) -> list[str]:
    """On a terminal, what is required and neither given nor kept is asked for; what is missing then comes out."""
    from conversync.dlt_internals import is_secret_hint

    section, missing, required = ("sources", vendor.name), list[str](), _required(vendor.settings)
    for name, hint in vendor.settings.get_resolvable_fields().items():
        is_secret = is_secret_hint(hint)
        place = (found.secrets if is_secret else found.plain).setdefault(section, {})
        if name in kept or name in place:
            continue
        value = (
            _asked(questions, vendor, name, secret=is_secret, required=name in required)
            if questions
            else None
        )
        if value is not None:
            place[name] = value
        elif name in required:
            missing.append(name)
            if is_secret:
                place[name] = PLACEHOLDER
    return missing


def _asked(questions: Questions, vendor: Vendor, name: str, *, secret: bool, required: bool) -> Any:
    """The answer of a person, for what only a person knows."""
    if name == f"{vendor.name}_zone":
        return questions.zone(name, getattr(vendor.settings, name))
    if not required:
        return None
    if name in vendor.questions:
        return vendor.questions[name](questions) or None
    return questions.value(name, secret=secret) or None


def _sections(names: Sequence[str], found: Given, missing: Mapping[str, Sequence[str]]) -> str:
    """The sections of a new config.toml, each with its header; what a source still lacks stands there as a comment."""
    text = ""
    for name in names:
        lacks = [one for one in missing[name] if one not in found.secrets.get(("sources", name), {})]
        text += f"\n[sources.{name}]\n" + "".join(f"# {one} =   (is required)\n" for one in lacks)
    return text + ("\n[send]\n" if found.plain.get(("send",)) else "") + _CONFIG_FOOT


def _says(wanted: Wanted, missing: Mapping[str, Sequence[str]], left: Sequence[str]) -> Iterator[str]:
    for name, lacks in missing.items():
        if lacks:
            yield f"{name} still lacks {', '.join(lacks)}: write it into the files, or set it in the environment."
    for name in left:
        yield f"Of {name} the environment holds settings, too; --source {name} writes them."
    place = "" if wanted.folder == Path.cwd() else f" --project {shlex.quote(str(wanted.folder))}"
    yield f"Next: conversync check{place}"
    yield "Every night, in your crontab (crontab -e):"
    yield cron_line(wanted.folder, wanted.time)
    if wanted.systemd:
        units = shlex.quote(str(wanted.folder / "systemd"))
        yield "Or with systemd:"
        yield f"mkdir -p ~/.config/systemd/user && cp {units}/conversync.* ~/.config/systemd/user/"
        yield "systemctl --user enable --now conversync.timer"


def cron_line(folder: Path, time: str) -> str:
    """A crontab's line; a percent sign in the program's path would end the command there."""
    hour, minute = time.split(":")
    command = f"cd {shlex.quote(str(folder))} && {shlex.quote(str(program()))} nightly --wait 30m"
    return f"{int(minute)} {int(hour)} * * *  " + command.replace("%", r"\%")


def program() -> Path:
    """The command as it was started, or as it stands beside this Python."""
    beside = Path(sys.executable).with_name("conversync")
    return beside if beside.exists() else Path(sys.argv[0]).absolute()


def _units(wanted: Wanted) -> dict[str, str]:
    place = str(wanted.folder).replace("%", "%%")
    folder, command = (_unit_text(str(path)) for path in (wanted.folder, program()))
    return {
        "conversync.service": _SERVICE.format(place=place, project=folder, command=command),
        "conversync.timer": _TIMER.format(time=wanted.time),
    }


def _unit_text(text: str) -> str:
    """A word of a unit's command line: quoted, with systemd's own % and $ as plain signs."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _profile(warehouse: Path) -> str:
    import json

    return _PROFILE.format(path=json.dumps(str(warehouse)))


_SECRETS_HEAD = """\
# Keep this file to yourself; git must not know it. In the environment the same names work in capitals.
# alert_webhook = "https://..."   # nightly and alert post JSON there
"""
_CONFIG_HEAD = """\
# Preferences; secrets stand in secrets.toml. Every name works in the environment, too, which wins.
warehouse = "{warehouse}"
# published = "published/warehouse.duckdb"   # the copy for readers; "off" for none

# `conversync nightly` and `conversync alert` tell this program, as JSON on its standard input, what is wrong.
# alert_command = "/usr/local/bin/tell-us --urgent"
# alert_stale_hours = 26
# alert_drop_pct = 50

# How long a vendor that answers 429, 5xx or nothing is waited for, in seconds; and the way to it through a proxy.
# http_budget = 600
# proxy = "http://proxy:3128"
"""
_CONFIG_FOOT = """
# What `conversync nightly` sends: a table, a view, a query, or a ready-made one (see conversync send --help).
# [send.keitaro.conversions]
# from = "besitos"
"""
_SERVICE = """\
[Unit]
Description=Conversync: load, build, send, publish, report
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={place}
ExecStart={command} nightly --wait 30m --project {project}
# 3: done, and rows were newly set aside.
SuccessExitStatus=3
TimeoutStartSec=6h
"""
_TIMER = """\
[Unit]
Description=Conversync, every night

[Timer]
OnCalendar=*-*-* {time}:00
Persistent=true
RandomizedDelaySec=5m

[Install]
WantedBy=timers.target
"""
_PROFILE = """\
# For dbt by hand: dbt build --profiles-dir . --project-dir <the folder dbt/ of conversync>
conversync:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: {path}
      schema: marts
      threads: 1
      config_options:
        autoinstall_known_extensions: false
      settings:
        TimeZone: UTC
"""
