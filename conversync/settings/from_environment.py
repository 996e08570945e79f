"""What the environment gives, and where it goes in a project's files: for `conversync init`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from conversync.errors import SettingsError
from conversync.settings.lookup import warehouse_path
from conversync.settings.registry import PROJECT, SEND, known
from conversync.settings.registry import Path as Section
from conversync.types import Document
from conversync.vendors import vendors

# By the section of a file, () being its top: the settings that go there.
Sections = dict[Section, Document]


@dataclass
class Given:
    """What goes into each file; `left`: the sources that something is set of, and that are not set up."""

    secrets: Sections = field(default_factory=dict)
    plain: Sections = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def given(environment: Mapping[str, str], sources: Collection[str]) -> Given:
    """Every setting of ours that the environment has, but for those of sources that are not to be set up.

    SettingsError for one that cannot be read as what it is.
    """
    from conversync.dlt_internals import is_secret_hint

    found = Given()
    for path, hint in known().paths.items():
        variable = _variable(path)
        if not (text := environment.get(variable)):
            continue
        section, name = _belongs(path), path[-1]
        if section[:1] == ("sources",) and section[1] in vendors() and section[1] not in sources:
            found.left += [section[1]] * (section[1] not in found.left)
            continue
        is_secret = is_secret_hint(hint) or _may_hold_a_secret(name, text)
        place = found.secrets if is_secret else found.plain
        place.setdefault(section, {}).setdefault(name, typed(variable, text, hint))
    if (top := found.plain.get((), {})) and "warehouse" in top:
        # There it is a path from this folder, and in the file one from the project's.
        top["warehouse"] = str(warehouse_path(None))
    return found


def _variable(path: Section) -> str:
    """The variable of a setting; the project's own ones carry our name, as anybody's might be called so."""
    variable = "__".join(path).upper()
    return f"CONVERSYNC_{variable}" if path == (path[-1],) and path[-1] in PROJECT else variable


def _may_hold_a_secret(name: str, text: str) -> bool:
    """Whether an address has one in it: of a webhook it is the path, of a proxy what stands before the @."""
    return name in ("alert_webhook", "privacy_key") or (name == "proxy" and "@" in text)


def _belongs(path: Section) -> Section:
    """The section in which the files that we ship have a setting, wherever else it may be set."""
    section, name = path[:-1], path[-1]
    if section not in ((), ("sources",)):
        return section
    return ("send",) if name in SEND and name != "http_budget" else known().names[name]


def typed(variable: str, text: str | None, hint: Any) -> Any:
    """A setting of the environment as its own kind, for a file has kinds; SettingsError where it is not of it."""
    if not text:
        return None
    from conversync.dlt_internals import (
        ConfigValueCannotBeCoercedException,
        deserialize_value,
        extract_inner_hint,
        is_secret_hint,
    )

    if is_secret_hint(hint):
        return text
    from conversync.extract.ranges import is_lookback, lookback_days

    wanted = extract_inner_hint(hint)
    try:
        if is_lookback(wanted):
            return lookback_days(variable, text)
        return deserialize_value(variable, text, wanted)
    except (ConfigValueCannotBeCoercedException, ValueError):
        raise SettingsError(f"{variable} in the environment cannot be read; nothing was written.") from None
