"""Settings, from dlt's own places: the environment, `.dlt/secrets.toml`, `.dlt/config.toml`, in that order."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from conversync.errors import SettingsError
from conversync.http.origin import DEFAULT_PORTS, is_loopback, parse_origin
from conversync.settings import accounts
from conversync.types import Document, Settings
from conversync.vendors import parted

if TYPE_CHECKING:
    from pendulum import Duration

    from conversync.vendors import Vendor

DEFAULT_WAREHOUSE = "warehouse.duckdb"
# Of more digits than anybody waits, and no more than pendulum counts.
_DURATION = re.compile(r"(\d{1,9})([smhd])")
# What other programs, DuckDB among them, take for an address or no file at all: s3://..., md:..., :memory:.
_ADDRESS = re.compile(r"\s*[A-Za-z0-9+.-]*:")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

T = TypeVar("T")


def project_dir() -> Path:
    """The folder whose `.dlt/` is read: DLT_PROJECT_DIR (`--project`), else the working directory."""
    return Path(os.environ.get("DLT_PROJECT_DIR") or ".")


def resolve(settings: type[T], source: str) -> T:
    """The settings of a source (`besitos`, `besitos:eu`), or of what is sent there.

    SettingsError, naming the first one that is missing or wrong, before any request.
    """
    from conversync.dlt_internals import (
        ConfigFieldMissingException,
        ConfigurationException,
        ConfigValueCannotBeCoercedException,
        ValueNotSecretException,
        resolve_configuration,
    )

    vendor, _ = parted(source)
    try:
        with accounts.asked_for(source):
            return resolve_configuration(settings(), sections=("sources", vendor))  # type: ignore[type-var]
    except ConfigFieldMissingException as missing:
        name = next(iter(missing.traces))
        raise SettingsError(f"{name} is not set: {where(name, source)}.{_others(source)}") from None
    except ConfigValueCannotBeCoercedException as wrong:
        raise _unread(wrong.field_name, _name(wrong.hint), source) from None
    except SettingsError as wrong:
        raise _placed(wrong, settings, source) from None
    except ValueNotSecretException as open_:
        name = open_.key.rpartition(".")[2]
        raise SettingsError(
            f"{name} is a secret: move it from .dlt/config.toml to .dlt/secrets.toml."
        ) from None
    except ConfigurationException as other:
        raise SettingsError(
            f"The settings of {source} cannot be read: {str(other).splitlines()[0]}"
        ) from None


def resolve_partly(settings: type[T], source: str) -> T:
    """What is set of a source, whether or not it is enough to load it; SettingsError for what cannot be meant."""
    from conversync.dlt_internals import ConfigurationException, resolve_configuration

    vendor, _ = parted(source)
    try:
        with accounts.asked_for(source):
            return resolve_configuration(settings(), sections=("sources", vendor), accept_partial=True)  # type: ignore[type-var]
    except (SettingsError, ConfigurationException) as error:
        raise SettingsError(
            f"The settings of {source} cannot be read: {str(error).splitlines()[0]}"
        ) from None


def resolve_each(vendors: Iterable[Vendor]) -> Document:
    """By source (its label), its settings, or the SettingsError that they are: it stops no other source.

    SettingsError, with every sentence, where no source has any that can be used.
    """
    found: Document = {}
    for vendor in vendors:
        try:
            found[vendor.label] = resolve(vendor.settings, vendor.label)
            _refuse_twins(vendor, found[vendor.label])
        except SettingsError as error:
            found[vendor.label] = error
    wrong = [one for one in found.values() if isinstance(one, SettingsError)]
    if wrong and len(wrong) == len(found):
        raise SettingsError(" ".join(str(one) for one in wrong))
    return found


def _refuse_twins(vendor: Vendor, chosen: Settings) -> None:
    """SettingsError where another account has the same address and credentials: all would be counted twice."""
    if not accounts.names_of(vendor.name):
        return
    own = accounts.own(vendor.name) & chosen.get_resolvable_fields().keys()
    for other in accounts.accounts_of(vendor.name):
        if other.label == vendor.label or not is_configured(other.settings, other.label):
            continue
        try:
            theirs: Settings = resolve_partly(other.settings, other.label)
        except SettingsError:
            continue
        if all(_meant(name, theirs[name]) == _meant(name, chosen[name]) for name in own):
            raise SettingsError(
                f"{vendor.label} and {other.label} have the same address and credentials, so each conversion would be "
                "counted twice: give each its own, or remove one of the sections."
            )


def refuse_one_receiver(settings: type[Settings], source: str, chosen: Settings) -> None:
    """SettingsError where another account sends to the same address with the same credentials: each row would go twice.

    A credential that one of them has not is no difference.
    """
    from conversync.dlt_internals import is_secret_hint

    vendor, _ = parted(source)
    hints = chosen.get_resolvable_fields()
    own = sorted(accounts.own(vendor) & hints.keys())
    for other in accounts.accounts_of(vendor):
        if other.label == source or not is_configured(settings, other.label):
            continue
        try:
            theirs: Settings = resolve(settings, other.label)
        except SettingsError:
            continue
        pairs = {name: (_meant(name, chosen[name]), _meant(name, theirs[name])) for name in own}
        if all(
            mine == their or (is_secret_hint(hints[name]) and None in (mine, their))
            for name, (mine, their) in pairs.items()
        ):
            raise SettingsError(
                f"{source} and {other.label} have the same address and credentials, so what is sent to both would be "
                "there twice. Nothing was sent: give each its own, or remove one of the sections."
            )


def _meant(name: str, value: Any) -> Any:
    """A setting's value; of an address what it leads to, however it is written."""
    if not name.endswith("_url") or not isinstance(value, str):
        return value
    try:
        origin = parse_origin(value, name)
    except SettingsError:
        return value
    host = "localhost" if is_loopback(origin.host) else origin.host.rstrip(".")
    return host, None if origin.port in DEFAULT_PORTS.values() else origin.port, origin.prefix


def where(name: str, source: str = "") -> str:
    """The two places where a setting can stand, as the second half of a sentence."""
    vendor, account = parted(source)
    place = (
        f"[{'.'.join(accounts.section(vendor, account))}] of .dlt/secrets.toml"
        if account
        else ".dlt/secrets.toml"
    )
    return f"write {name} into {place}, or set {accounts.variable(source, name)} in the environment"


def _others(source: str) -> str:
    """One more sentence where the vendor has accounts with names, and this is the one without."""
    named = [one.label for one in accounts.accounts_of(source) if one.of_account] if ":" not in source else []
    return f" That is the account without a name; with one there {_are(named)}." if named else ""


def _are(named: Sequence[str]) -> str:
    return f"{'is' if len(named) == 1 else 'are'} {', '.join(named)}"


def _unread(name: str, wanted: str, source: str) -> SettingsError:
    """A source's setting that is of another kind; a secret is a text, and never one."""
    from conversync.settings.where_set import of_source

    given = of_source(name, source)
    return given.wrong(wanted) if given else SettingsError(f"{name} cannot be read as {wanted}: mend it.")


def _placed(error: SettingsError, settings: type[Any], source: str) -> SettingsError:
    """What a vendor's own rules say of a setting, whose name leads the sentence, and where it stands that is wrong."""
    from conversync.settings.where_set import of_source

    name = str(error).partition(" ")[0]
    given = of_source(name, source) if name in settings.get_resolvable_fields() else None
    return SettingsError(f"{error} It stands in {given.place}.") if given else error


def _name(hint: Any) -> str:
    from conversync.dlt_internals import extract_inner_hint
    from conversync.extract.ranges import LOOKBACK_IN_WORDS, LookbackDays

    hint = extract_inner_hint(hint)
    known = {int: "a whole number", bool: "true or false", LookbackDays: LOOKBACK_IN_WORDS}
    return known.get(hint, getattr(hint, "__name__", str(hint)))


def is_configured(settings: type[Settings], source: str) -> bool:
    """Whether anything that a source requires is set: what then is missing or wrong is told, not skipped.

    An account with a name is, as soon as it is named.
    """
    from conversync.dlt_internals import (
        ConfigurationException,
        is_optional_type,
        resolve_configuration,
    )

    vendor, account = parted(source)
    if account:
        return True
    try:
        with accounts.asked_for(source):
            found: Any = resolve_configuration(settings(), sections=("sources", vendor), accept_partial=True)
    except (SettingsError, ConfigurationException):
        return True
    hints = settings.get_resolvable_fields()
    required = [f.name for f in fields(settings) if f.default is None and f.name in hints]
    return any(found[name] is not None for name in required if not is_optional_type(hints[name]))


def is_named(settings: type[Settings], source: str) -> bool:
    """Whether the settings know an account: by its name, or, of the one without, by anything that it requires."""
    vendor, account = parted(source)
    return account in accounts.names_of(vendor) if account else is_configured(settings, source)


def warehouse_path(given: str | None) -> Path:
    """The warehouse file: `--warehouse`, CONVERSYNC_WAREHOUSE, `warehouse` in config.toml, or the default."""
    variable = "CONVERSYNC_WAREHOUSE"
    if given is not None:
        return _path(given, "--warehouse").absolute()
    if (given := os.environ.get(variable)) is not None:
        return _path(given, variable).absolute()
    written = preference("warehouse")
    return in_project(DEFAULT_WAREHOUSE if written is None else written, "warehouse")


def preference(name: str, variable: str | None = None) -> str | None:
    """A setting of the project itself, which belongs to no vendor: the environment's `variable`, else config.toml."""
    if variable and (given := os.environ.get(variable)):
        return given
    import dlt

    return dlt.config.get(name, str)


def in_project(path: str, name: str) -> Path:
    """A path from config.toml, as the setting `name`: from the project's folder, unless it is absolute."""
    return (project_dir() / _path(path, name)).absolute()


def _path(path: str, name: str) -> Path:
    """A path of a file, its `~` replaced; SettingsError, naming the setting, where it can be none."""
    if not path.strip():
        raise SettingsError(f"{name} is blank: name a file, such as {DEFAULT_WAREHOUSE}, or leave it out.")
    if "\0" in path:
        raise SettingsError(f"{name} holds a null character: write it anew.")
    if _ADDRESS.match(path):
        raise SettingsError(
            f'{name} is "{_scheme(path)}", which is no file of this machine: name one, such as '
            f"{DEFAULT_WAREHOUSE} (--destination names other places; ./ goes before a file name with a colon)."
        )
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingsError(
            f"{path} begins with a home directory that is not known: write it in full."
        ) from None


def _scheme(path: str) -> str:
    """The beginning of an address: what follows may be a secret."""
    scheme, _, rest = path.strip().partition(":")
    return f"{scheme}:..." if scheme else f":{rest:.20}"


def duration(text: str, option: str) -> int:
    """Seconds from `90s`, `30m`, `2h`, `31d`; SettingsError, naming the option, for anything else."""
    return _duration(text, option).in_seconds()


def days(text: str, option: str) -> int:
    """Whole days from a duration; at least one."""
    found = _duration(text, option)
    if not found.days or found.in_seconds() != found.days * 86_400:
        raise SettingsError(f'{option} is "{text}", but must be whole days, at least 1d.')
    return found.days


def _duration(text: str, option: str) -> Duration:
    import pendulum

    # Not `pendulum.parse`: it knows ISO 8601's PT30M, which nobody writes by hand.
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise SettingsError(f'{option} is "{text}", which is no duration: write it like 30m, 2h or 31d.')
    return pendulum.duration(**{_UNITS[match[2]]: int(match[1])})


def span(start: str | None, end: str | None, first: str, last: str) -> None:
    """SettingsError, naming the options, where one of two days is none, or the first comes after the last."""
    from conversync.extract.windows import day

    begins, ends = day(start, first) if start else None, day(end, last) if end else None
    if begins and ends and begins > ends:
        raise SettingsError(f"{first} {begins} comes after {last} {ends}: name the earlier day with {first}.")


def open_secrets() -> str | None:
    """A warning where others on this machine may read the secrets file, else None."""
    path = project_dir() / ".dlt" / "secrets.toml"
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"Others on this machine can read {path}; keep it to yourself with: chmod 600 {path}"
    return None
