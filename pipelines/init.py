"""`conversync init`: a project's settings files, and what runs it every night."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipelines.merging import PLACEHOLDER, held, ignored, merged
from pipelines.questions import Questions, known_source
from pipelines.toml import toml
from pipelines.vendors import Vendor, vendors
from wire.errors import ConversyncError, SettingsError

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


@dataclass(frozen=True)
class Plan:
    """All files, and the sentences for a person afterwards."""

    files: tuple[File, ...]
    force: bool
    says: tuple[str, ...]


@dataclass
class _Settings:
    """The settings of one source: those known, by name, and those that are still missing."""

    secrets: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def plan(wanted: Wanted, sources: Sequence[str], questions: Questions | None) -> Plan:
    """What would be written. SettingsError for a source that does not exist, or where none is named or set."""
    if not _TIME.fullmatch(wanted.time):
        raise SettingsError(f'--at is "{wanted.time}", which is no time: write it like 06:15.')
    if "%" in str(wanted.folder):
        raise SettingsError(
            f"{wanted.folder} holds a percent sign, and dlt cannot work there: take another folder."
        )
    known = vendors()
    names = list(sources) or (questions.sources() if questions else _set_up(known))
    for name in names:
        known_source(name)
    if not names:
        raise SettingsError(
            "No source is named, and none has its settings in the environment: name one, such as --source besitos."
        )
    places = [wanted.folder / ".dlt" / name for name in ("secrets.toml", "config.toml")]
    found = {
        name: _settings(known[name], questions, _held(wanted, places, name)) for name in dict.fromkeys(names)
    }
    files = [
        _settings_file(
            wanted, places[0], {name: one.secrets for name, one in found.items()}, _secrets(found)
        ),
        _settings_file(wanted, places[1], {name: one.plain for name, one in found.items()}, _config(found)),
    ]
    if wanted.systemd:
        files += [File(wanted.folder / "systemd" / name, text) for name, text in _units(wanted).items()]
    if wanted.dbt:
        files.append(File(wanted.folder / "profiles.yml", _profile(wanted.folder)))
    if (text := ignored(wanted.folder)) is not None:
        files.append(File(wanted.folder / ".gitignore", text, is_merged=True))
    return Plan(tuple(files), wanted.force, tuple(_says(wanted, found)))


def _held(wanted: Wanted, places: Sequence[Path], source: str) -> dict[str, Any]:
    """What the files that are there say of a source, and are to keep."""
    return {} if wanted.force else {k: v for path in places for k, v in held(path, source).items()}


def _settings_file(wanted: Wanted, path: Path, values: Mapping[str, Mapping[str, Any]], fresh: str) -> File:
    """A file of its own; or where there is one, that with what is new in it."""
    private = path.name == "secrets.toml"
    if wanted.force or not path.exists() or path.is_symlink():
        return File(path, fresh, private)
    return File(path, merged(path, values), private, is_merged=True)


def write(made: Plan) -> Iterator[str]:
    """Writes all files, or none if one is there that takes nothing in; yields what was done, and what comes next."""
    there = [
        str(file.path)
        for file in made.files
        if not file.is_merged and (file.path.exists() or file.path.is_symlink())
    ]
    if there and not made.force:
        raise SettingsError(
            f"{', '.join(there)} is there already: nothing was written. --force overwrites it."
        )
    for file in made.files:
        was_there = file.path.exists()
        if (
            file.is_merged
            and was_there
            and file.path.read_bytes() == file.text.encode(errors="surrogateescape")
        ):
            yield f"{file.path} has all of it already"
            continue
        try:
            _put(file)
        except OSError as error:
            raise ConversyncError(f"{file.path} cannot be written ({error.strerror}).") from None
        done = "Added what is new to" if file.is_merged and was_there else "Wrote"
        yield f"{done} {file.path}" + (" (only you can read it)" if file.private else "")
    yield from made.says


def _put(file: File) -> None:
    """Takes the place of what is there, whole; a private file is never readable for others, not for a moment."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.path.name}.", dir=file.path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(file.text)
        if not file.private:
            mask = os.umask(0)
            os.umask(mask)
            new.chmod(0o666 & ~mask)
        new.replace(file.path)
    finally:
        new.unlink(missing_ok=True)


def _set_up(known: dict[str, Vendor]) -> list[str]:
    """The sources of which the environment holds something that they require."""
    return [
        name
        for name, vendor in known.items()
        if any(os.environ.get(one.upper()) for one in _required(vendor.settings))
    ]


def _required(spec: type[Any]) -> list[str]:
    from dlt.common.typing import is_optional_type

    hints = spec.get_resolvable_fields()
    empty = [one.name for one in fields(spec) if one.default is None and one.name in hints]
    return [name for name in empty if not is_optional_type(hints[name])]


def _settings(vendor: Vendor, questions: Questions | None, kept: Mapping[str, Any]) -> _Settings:
    """What the environment holds and the files do not; on a terminal, the rest of what is required is asked for."""
    from dlt.common.configuration.specs.base_configuration import is_secret_hint

    found, required = _Settings(), _required(vendor.settings)
    for name, hint in vendor.settings.get_resolvable_fields().items():
        if name in kept:
            continue
        secret = is_secret_hint(hint)
        value: Any = _typed(name, os.environ.get(name.upper()), hint)
        if value is None and questions is not None:
            value = _asked(questions, vendor, name, secret=secret, required=name in required)
        if value is not None:
            (found.secrets if secret else found.plain)[name] = value
        elif name in required:
            found.missing.append(name)
            if secret:
                found.secrets[name] = PLACEHOLDER
    return found


def _asked(questions: Questions, vendor: Vendor, name: str, *, secret: bool, required: bool) -> Any:
    """The answer of a person, for what only a person knows."""
    if name == f"{vendor.name}_zone":
        return questions.zone(name, getattr(vendor.settings, name))
    if not required:
        return None
    return (questions.pairs() if name == "infobip_pairs" else questions.value(name, secret=secret)) or None


def _typed(name: str, text: str | None, hint: Any) -> Any:
    """A setting of the environment as its own kind, for a file has kinds; SettingsError where it is not of it."""
    if not text:
        return None
    from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
    from dlt.common.configuration.specs.base_configuration import extract_inner_hint, is_secret_hint
    from dlt.common.configuration.utils import deserialize_value

    if is_secret_hint(hint):
        return text
    try:
        return deserialize_value(name, text, extract_inner_hint(hint))
    except (ConfigValueCannotBeCoercedException, ValueError):
        raise SettingsError(
            f"{name.upper()} in the environment cannot be read; nothing was written."
        ) from None


def _secrets(found: dict[str, _Settings]) -> str:
    head = (
        "# Keep this file to yourself; git must not know it. In the environment the same names work in capitals.\n"
        '# alert_webhook = "https://..."   # nightly and alert post JSON there\n'
    )
    return head + "".join(
        f"\n[sources.{name}]\n{toml(one.secrets)}" for name, one in found.items() if one.secrets
    )


def _config(found: dict[str, _Settings]) -> str:
    text = _CONFIG_HEAD
    for name, one in found.items():
        missing = "".join(
            f"# {setting} =   (is required)\n" for setting in one.missing if setting not in one.secrets
        )
        text += f"\n[sources.{name}]\n{toml(one.plain)}{missing}"
    return text + _CONFIG_FOOT


def _says(wanted: Wanted, found: dict[str, _Settings]) -> Iterator[str]:
    for name, one in found.items():
        if one.missing:
            yield f"{name} still lacks {', '.join(one.missing)}: write it into the files, or set it in the environment."
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


def _profile(folder: Path) -> str:
    import json

    return _PROFILE.format(path=json.dumps(str(folder / WAREHOUSE)))


_CONFIG_HEAD = f"""\
# Preferences; secrets stand in secrets.toml. Every name works in the environment, too, which wins.
warehouse = "{WAREHOUSE}"
# published = "published/warehouse.duckdb"   # the copy for readers; "off" for none

# `conversync nightly` and `conversync alert` tell this program, as JSON on its standard input, what is wrong.
# alert_command = "/usr/local/bin/tell-us --urgent"
# alert_stale_hours = 26
# alert_drop_pct = 50
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
