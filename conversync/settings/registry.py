"""Every setting of ours, and where each is read: so that what stands where nobody reads it is told.

The vendors' settings are the fields of their configspecs, sources' and targets' alike. What the project itself and
every send read stands here, and nowhere else: `settings.preference` and `send.options.setting` take no other name.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from conversync import vendors
from conversync.errors import SettingsError
from conversync.settings import accounts
from conversync.settings.accounts import Account

Path = tuple[str, ...]

# The project's own, at the top of config.toml, and as CONVERSYNC_<NAME> in the environment.
PROJECT: dict[str, type] = {
    "warehouse": str,
    "published": str,
    "published_readers": str,
    "published_lake": str,
    "published_lake_format": str,
    "published_lake_keep": str,
    "published_lake_catalog": str,
    "alert_command": str,
    "alert_stale_hours": float,
    "alert_drop_pct": float,
    "alert_webhook": str,
    "proxy": str,
    "retain_sent_days": str,
    "retain_rejected_days": str,
    "publish_personal": bool,
    "privacy_key": str,
    "duckdb_memory": str,
    "duckdb_threads": int,
}
# Of these a number does as well as its text.
NUMBERS = frozenset({"retain_sent_days", "retain_rejected_days"})
# Of every send: in [send], [send.<vendor>], [send.<vendor>.<what>], or at the top.
SEND: dict[str, type] = {
    "send_enabled": bool,
    "send_rate": str,
    "send_max_rows": int,
    "send_max_change_pct": float,
    "send_max_outbox": int,
    "send_query_seconds": float,
    "send_concurrency": int,
    "send_player_ids": str,
    "send_conversion_id": str,
    "send_since": str,
    "send_missing": str,
    "send_cleared_amounts": str,
    "http_budget": float,
}
# Of one target alone: in [send.<vendor>.<what>].
SEND_OWN: dict[str, type] = {"query": str, "from": str}
# Only in the environment.
VARIABLES = ("CONVERSYNC_BUILD_MEMORY", "CONVERSYNC_SETTINGS_OWNER")
# What other programs' sections hold under the same name (a destination's credentials know a warehouse, too).
COMMON = frozenset({"warehouse", "published", "proxy", *SEND_OWN})
FILE = "_FILE"
# What people write at the end of a name for the file that holds the setting.
_FILES = ("FILE", "PATH", "FILENAME")
# From so much alike on (difflib's ratio), a name is taken for another one with a typing error in it.
NEAR = 0.76
NEAR_WHOLE = 0.9


@dataclass
class Known:
    """The settings by their path in a file, each with its type (dlt's hint), and by their name in the environment."""

    paths: dict[Path, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, hint: object, *sections: Path) -> None:
        """A setting that is read in these sections."""
        for section in sections:
            path = (*section, name)
            self.paths.setdefault(path, hint)
            self.variables["__".join(path).upper()] = name

    @property
    def names(self) -> dict[str, Path]:
        """The section in which each setting belongs: its vendor's, or the top for what several vendors read."""
        belongs: dict[str, Path] = {}
        for *section, name in self.paths:
            if section[2:3] == [accounts.SECTION]:
                continue
            several = section[:1] == ["sources"] and belongs.get(name, tuple(section)) != tuple(section)
            belongs[name] = () if several and len(section) > 1 else belongs.get(name, tuple(section))
        return belongs

    def within(self, section: Path) -> list[str]:
        """What may stand in a section: settings, and sections of it."""
        inside = dict.fromkeys(
            path[len(section)] for path in self.paths if path[: len(section)] == section != path
        )
        may_have_accounts = len(section) == len(("sources", "vendor")) and section[1] in vendors.known()
        return list(inside | {accounts.SECTION: None} if inside and may_have_accounts else inside)


def take_accounts(found: Iterable[Account]) -> None:
    """From now on these are the accounts that have a name, with settings of their own."""
    accounts.take(found)
    for one in (_known, _variables, _beginnings):
        one.cache_clear()


def known() -> Known:
    """All of them."""
    return _known()


@cache
def _known() -> Known:
    from conversync.send.options import own_sections, sections

    found = Known()
    for name, hint in PROJECT.items():
        found.add(name, hint, ())
        found.variables[f"CONVERSYNC_{name.upper()}"] = name
    found.variables |= dict.fromkeys(VARIABLES, "")
    specs = [(name, vendor.settings) for name, vendor in vendors.vendors().items()]
    specs += [(vendors.source_of(name), target.settings) for name, target in vendors.targets().items()]
    for vendor, spec in specs:
        for name, hint in spec.get_resolvable_fields().items():
            found.add(name, hint, ("sources", vendor), ("sources",), ())
            found.add(name, hint, *(accounts.section(vendor, one) for one in accounts.names_of(vendor)))
    for target in accounts.targets():
        for name, hint in SEND_OWN.items():
            found.add(name, hint, *own_sections(target))
        for name, hint in SEND.items():
            found.add(name, hint, ("send",), *sections(target))
    return found


def nearest(name: str, candidates: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The candidate that was probably meant, letters that changed places first; None where none is alike."""
    word = name.lower()
    shuffled = [one.lower() for one in candidates if sorted(one.lower()) == sorted(word)]
    close = shuffled or difflib.get_close_matches(word, [one.lower() for one in candidates], 1, cutoff)
    return next((one for one in candidates if close and one.lower() == close[0]), None)


def guess(word: str, known: Sequence[str]) -> str:
    """`" Did you mean keitaro?"`: one more sentence, or nothing where none is alike."""
    near = nearest(word, known)
    return f" Did you mean {near}?" if near else ""


def unknown(kind: str, name: str, known: Sequence[str]) -> SettingsError:
    """What is said of a word of a command that names nothing: those there are, and the one that was probably meant."""
    return SettingsError(
        f'There is no {kind} "{name}"; the {kind}s are {", ".join(known)}.{guess(name, known)}'
    )


@dataclass
class Strangers:
    """`wrong`: a sentence for each name that is nearly one of ours, or stands where none is read; `foreign`: the names
    that merely begin like ours, or belong to something else in our files."""

    wrong: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def in_file(document: Mapping[str, object], file: str, found: Strangers) -> None:
    """Looks through one of dlt's files; `file` is what the sentences call it."""
    _table(document, (), file, found)


def _table(table: Mapping[str, object], section: Path, file: str, found: Strangers) -> None:
    inside, dlts = known().within(section), _dlts(section)
    for name, value in table.items():
        path = (*section, name)
        if path in known().paths:
            wrong = _mistyped(value, known().paths[path], text=_is_text(path))
            found.wrong += [f"{_written(path)} in {file} must be {wrong}."] if wrong else []
        elif isinstance(value, Mapping) and name in inside:
            _table(value, path, file, found)
        elif meant := _no_setting(path, value, inside, dlts):
            found.wrong.append(f"{_written(path, value)} in {file} is not a setting: {meant}.")
        else:
            found.foreign += [f"{_written(path, value)} in {file}"] if name not in dlts else []
            _elsewhere(value, path, file, found)


def _no_setting(path: Path, value: object, inside: Sequence[str], dlts: Collection[str]) -> str | None:
    """What a name was to be that is no setting; None where it belongs to somebody else."""
    *section, name = path
    if section[:1] == ["send"] and section[2:] == [accounts.SECTION]:
        return _account_meant(section, name, inside)
    if _is_ours(tuple(section)) or _misplaced(name, tuple(section)):
        return _meant(path, inside)
    near = None if name in dlts else _alike(name, value, tuple(section), inside)
    return f"{near} is" if near else None


def _elsewhere(value: object, section: Path, file: str, found: Strangers) -> None:
    """Somebody else's section: only what plainly is a setting of ours is told there."""
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        path = (*section, name)
        if _misplaced(name, section):
            found.wrong.append(f"{_written(path)} in {file} is not read there: {_meant(path, [])}.")
        else:
            _elsewhere(inner, path, file, found)


def _is_ours(section: Path) -> bool:
    """Whether nobody else has a use for the section: [send] and [sources.<vendor>], and what lies in them."""
    return section[:1] == ("send",) or (len(section) > 1 and bool(known().within(section[:2])))


def _misplaced(name: str, section: Path) -> bool:
    """Whether a setting of ours stands outside of the sections in which it is read."""
    return name in known().names and name not in COMMON and (*section, name) not in known().paths


def _dlts(section: Path) -> frozenset[str]:
    """dlt's own sections at the top."""
    from conversync.dlt_internals import known_sections

    own = {value for name, value in vars(known_sections).items() if name.isupper()}
    return frozenset(own | {"runtime"}) if not section else frozenset()


def _meant(path: Path, inside: Sequence[str]) -> str:
    """What a person may have meant, and where it goes."""
    *section, name = path
    if name in known().names:
        return f"it belongs {_place(known().names[name])}"
    prefixed = nearest(f"{section[-1]}_{name}", inside) if section else None
    near = nearest(name, inside) or prefixed or nearest(name, list(known().names))
    if near is not None and near in inside:
        return f"{_as_written((*section, near))} is"
    if near is not None:
        return f"the nearest is {near}, {_place(known().names[near])}"
    return f"{_section(tuple(section))} knows {', '.join(inside)}" if inside else "nothing reads it"


def _account_meant(section: Sequence[str], name: str, inside: Sequence[str]) -> str:
    """The account that was meant by a name that is none's, in the section of what is sent to accounts."""
    if near := nearest(name, inside):
        return f"{_section((*section, near))} is"
    return f"it would be an account's, which {_section(('sources', *section[1:], name))} names"


def _section(section: Path) -> str:
    return f"[{'.'.join(section)}]"


def _place(section: Path) -> str:
    if len(section) == len(("send", "vendor", "what")):
        return f"in the section of one target, such as {_section(section)}"
    return f"in {_section(section)}" if section else "at the top of the file"


def _alike(name: str, value: object, section: Path, inside: Sequence[str]) -> str | None:
    """What was probably meant, as the file would have it: a section for a section, else a setting."""
    is_section = isinstance(value, Mapping)
    near = nearest(name, [one for one in inside if ((*section, one) in known().paths) != is_section], NEAR)
    return near and _as_written((*section, near))


def _as_written(path: Path) -> str:
    """A setting by its name; a section as the file has it: `[send.keitaro.conversions]`."""
    return path[-1] if path in known().paths else _section(path)


def _written(path: Path, value: object = None) -> str:
    """`[send] send_rate`, or `[sends]` for a section: as the file has it."""
    if isinstance(value, Mapping):
        return _section(path)
    return f"{_section(path[:-1])} {path[-1]}" if path[:-1] else path[-1]


def _is_text(path: Path) -> bool:
    """Whether it is a setting of the project's own that is text, and nothing else: a path, an address, a command."""
    return len(path) == 1 and PROJECT.get(path[0]) is str and path[0] not in NUMBERS


def _mistyped(value: Any, hint: Any, *, text: bool = False) -> str | None:
    """What a setting must be, where the file's value is of a kind that could only be misread; `text` takes no other."""
    if text:
        return None if isinstance(value, str) else "text"
    from conversync.dlt_internals import extract_inner_hint

    wanted = extract_inner_hint(hint)
    if wanted is list or getattr(wanted, "__origin__", None) is list:
        return None if isinstance(value, list | str) else "a list"
    if wanted is bool:
        return None if isinstance(value, bool | str) else "true or false"
    if isinstance(value, bool | list | Mapping):
        from conversync.extract.ranges import LOOKBACK_IN_WORDS, LookbackDays

        words = {int: "a whole number", float: "a number", LookbackDays: LOOKBACK_IN_WORDS}
        return words.get(wanted, "text")
    return None


def in_environment(environment: Mapping[str, str], found: Strangers) -> None:
    """Looks through the names of the environment."""
    ours = {*known().variables, *(name + FILE for name in known().variables)}
    for name in environment:
        if name in ours:
            continue
        if near := _near_file(name.upper()) or _near(name.upper()):
            file = f", or {near}{FILE} for a file that holds it" if _bare(name.upper()) else ""
            found.wrong.append(
                f"{name} in the environment is not a setting: {near} is{file}. Rename it, or unset it."
            )
        elif name.startswith(_beginnings()):
            found.foreign.append(f"{name} in the environment")


def _bare(name: str) -> str:
    """BESITOS_TOKEN, of a name that ends like the form that names a file: _FILE, _FIEL, _PATH; else nothing."""
    bare, _, last = name.rpartition("_")
    return bare if nearest(last, _FILES) else ""


def _near_file(name: str) -> str | None:
    """The variable whose file was probably meant: one of ours with an ending that is none, or nearly one in _FILE."""
    bare = _bare(name)
    if bare in _variables():
        return bare
    return _near(bare) if name.endswith(FILE) else None


def _near(name: str) -> str | None:
    """The variable that was probably meant by one that is none."""
    beginning = next(filter(name.startswith, _beginnings()), None)
    if beginning is not None:
        return _near_after(beginning, name.removeprefix(beginning))
    return nearest(name, [one for one in _variables() if ("__" in one) == ("__" in name)], NEAR_WHOLE)


def _near_after(beginning: str, rest: str) -> str | None:
    """The variable with this beginning that was probably meant by the rest."""
    rests = {one.removeprefix(beginning): one for one in _variables() if one.startswith(beginning)}
    words = [one for one in rests if one.startswith(f"{rest}_")] if rest else []
    # A section of ours in the environment is nobody else's.
    cutoff = 0.0 if beginning.endswith("__") else NEAR
    near = nearest(rest, list(rests), cutoff) or (words[0] if words else None)
    return rests[near] if near is not None else None


@cache
def _variables() -> tuple[str, ...]:
    """The names of the environment that are documented; the project's own ones without a prefix are anybody's."""
    return tuple(name for name in known().variables if name.lower() not in PROJECT)


@cache
def _beginnings() -> tuple[str, ...]:
    """How the names begin that are ours, the longest first."""
    vendors = {path[1] for path in known().paths if path[0] == "sources" and len(path) == 3}
    sections = {"__".join(path[:-1]).upper() + "__" for path in known().paths if _is_ours(path[:-1])}
    found = {"CONVERSYNC_", "SEND_", *(f"{vendor.upper()}_" for vendor in vendors), *sections}
    return tuple(sorted(found, key=len, reverse=True))
