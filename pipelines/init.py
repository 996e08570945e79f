"""`conversync init`: a project's settings files, and what runs it every night."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipelines.toml import toml
from pipelines.vendors import NAMES, Vendor, vendors
from wire.errors import ConversyncError, SettingsError

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
# What a secrets file holds in the place of a secret; `check` and `load` say that it is none yet.
PLACEHOLDER = "<to be filled in>"
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
    """A file to be written; one that only its owner may read, if it is `private`."""

    path: Path
    text: str
    private: bool = False


@dataclass(frozen=True)
class Plan:
    """All files, and the sentences for a person afterwards."""

    files: tuple[File, ...]
    force: bool
    says: tuple[str, ...]


class Questions:
    """Asks on the terminal; secrets are not shown while they are typed."""

    def sources(self) -> list[str]:
        """Which sources, of those there are."""
        import typer

        text = typer.prompt(f"Which sources ({', '.join(NAMES)})", default=NAMES[0])
        return [name for name in re.split(r"[\s,]+", text) if name]

    def value(self, name: str, *, secret: bool) -> str:
        """One setting as text; empty to fill it in later."""
        import typer

        hint = " (hidden; empty to fill it in later)" if secret else " (empty to fill it in later)"
        return str(typer.prompt(f"{name}{hint}", default="", show_default=False, hide_input=secret)).strip()

    def pairs(self) -> list[dict[str, str]]:
        """Infobip's pairs of tags, one after the other."""
        import typer

        found: list[dict[str, str]] = []
        while process := self.value("infobip process_key", secret=False):
            tags = {
                name: typer.prompt(name, default="", show_default=False) for name in ("start_tag", "end_tag")
            }
            found.append({"process_key": process, **{name: tag for name, tag in tags.items() if tag}})
            if not typer.confirm("Another pair?", default=False):
                break
        return found


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
        if name not in known:
            raise SettingsError(f'There is no source "{name}"; the sources are {", ".join(known)}.')
    if not names:
        raise SettingsError(
            "No source is named, and none has its settings in the environment: name one, such as --source besitos."
        )
    found = {name: _settings(known[name], questions) for name in dict.fromkeys(names)}
    files = [
        File(wanted.folder / ".dlt" / "secrets.toml", _secrets(found), private=True),
        File(wanted.folder / ".dlt" / "config.toml", _config(found)),
    ]
    if wanted.systemd:
        files += [File(wanted.folder / "systemd" / name, text) for name, text in _units(wanted).items()]
    if wanted.dbt:
        files.append(File(wanted.folder / "profiles.yml", _profile(wanted.folder)))
    return Plan(tuple(files), wanted.force, tuple(_says(wanted, found)))


def write(made: Plan) -> Iterator[str]:
    """Writes all files, or none if one of them is there; yields what was done and what comes next."""
    there = [str(file.path) for file in made.files if file.path.exists() or file.path.is_symlink()]
    if there and not made.force:
        raise SettingsError(
            f"{', '.join(there)} is there already: nothing was written. --force overwrites it."
        )
    for file in made.files:
        try:
            _put(file)
        except OSError as error:
            raise ConversyncError(f"{file.path} cannot be written ({error.strerror}).") from None
        yield f"Wrote {file.path}" + (" (only you can read it)" if file.private else "")
    yield from made.says


def _put(file: File) -> None:
    """Takes the place of what is there, whole; a private file is never readable for others, not for a moment."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.path.name}.", dir=file.path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
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


def _settings(vendor: Vendor, questions: Questions | None) -> _Settings:
    """What the environment holds; on a terminal, the rest of what is required is asked for."""
    from dlt.common.configuration.specs.base_configuration import is_secret_hint

    found, required = _Settings(), _required(vendor.settings)
    for name, hint in vendor.settings.get_resolvable_fields().items():
        secret = is_secret_hint(hint)
        value: Any = _typed(name, os.environ.get(name.upper()), hint)
        if value is None and name in required and questions is not None:
            asked = questions.pairs() if name == "infobip_pairs" else questions.value(name, secret=secret)
            value = asked or None
        if value is not None:
            (found.secrets if secret else found.plain)[name] = value
        elif name in required:
            found.missing.append(name)
            if secret:
                found.secrets[name] = PLACEHOLDER
    return found


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
