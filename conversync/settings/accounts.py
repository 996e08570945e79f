"""Several accounts of one vendor: `[sources.besitos.accounts.eu]` is what commands call `besitos:eu`.

Who is asked, and as whom, an account says itself: its address, its credentials and what else tells it from another are
never taken from the vendor's own section. All other settings are, wherever the account has none of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from conversync.errors import CredentialsError, SettingsError
from conversync.vendors import Vendor, at_account, dataset, known, label, parted, source_of, vendors

if TYPE_CHECKING:
    from conversync.send.target import Target

SECTION = "accounts"
# Of datasets: what dlt and every database take as it is, with room for the name of the schema beside it.
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 40
# The schema beside each dataset in which rows wait.
_STAGING = "staging"
# What PostgreSQL cuts off a longer name of a table, in bytes.
_LONGEST_TABLE = 63
# A vendor's own datasets aside, what else stands in a warehouse.
_TAKEN = ("sent", "books", "staging", "intermediate", "marts")

Account = tuple[str, str]
_asked: ContextVar[Account | None] = ContextVar("account", default=None)


# The accounts with a name of this project's settings, as they were last read.
_named: list[Account] = []


def take(found: Iterable[Account]) -> None:
    """From now on these are the accounts that have a name."""
    _named[:] = sorted(set(found))


def names_of(vendor: str) -> list[str]:
    """The names of a vendor's accounts, in their order; the one without a name is not among them."""
    return [account for name, account in _named if name == vendor]


def accounts_of(vendor: str) -> list[Vendor]:
    """A vendor's sources, one an account: first the one without a name, whether or not it is configured."""
    declared = known()[vendor]
    return [declared, *(replace(declared, of_account=account) for account in names_of(vendor))]


def sources() -> dict[str, Vendor]:
    """Those that can be read, one an account, by what commands call them; as the settings were last read."""
    return {one.label: one for name in vendors() for one in accounts_of(name)}


def chosen(names: Iterable[str], among: Callable[[Vendor], object] = lambda _source: True) -> list[Vendor]:
    """The sources of these names, each once; of none, all. `among` says which there are; SettingsError for another."""
    from conversync.settings.registry import unknown

    there = {name: one for name, one in sources().items() if among(one)}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in there:
            error, (vendor, account) = unknown("source", name, list(there)), parted(name)
            if not account or vendor not in known():
                raise error
            where = ".".join(section(vendor, account))
            raise SettingsError(f"{error} An account of that name has its settings under [{where}].")
    return [there[name] for name in wanted or there]


def targets() -> dict[str, Target]:
    """All that can be sent to, of every account, by what commands call them; as the settings were last read."""
    found = [
        _at(target, account)
        for name, vendor in known().items()
        for account in ("", *names_of(name))
        for target in vendor.targets
    ]
    return {target.name: target for target in found}


def target_named(name: str) -> Target | None:
    """What a vendor takes at any account, also at one that the settings name no more; None where it takes none such."""
    vendor, account = parted(source_of(name))
    for target in known()[vendor].targets if vendor in known() else ():
        if at_account(target.name, account) == name:
            return _at(target, account)
    return None


def _at(target: Target, account: str) -> Target:
    """The target of an account: as it is declared, and of another name, by which its books are kept."""
    mine = copy(target)
    mine.name = at_account(target.name, account)
    return mine


def section(vendor: str, account: str) -> tuple[str, ...]:
    """Where its own settings stand in a file."""
    return ("sources", vendor, SECTION, account) if account else ("sources", vendor)


def sections(source: str, name: str) -> list[tuple[str, ...]]:
    """The sections in which one of its settings is looked for, the nearest first."""
    vendor, account = parted(source)
    shared = [("sources", vendor), ("sources",), ()]
    return [section(vendor, account), *([] if name in own(vendor) else shared)] if account else shared


def variable(source: str, name: str) -> str:
    """The name of a setting in the environment."""
    vendor, account = parted(source)
    return "__".join((*section(vendor, account), name)).upper() if account else name.upper()


@cache
def own(vendor: str) -> frozenset[str]:
    """The settings that an account does not share: address, credentials, what is required, what names the account."""
    from conversync.dlt_internals import is_optional_type, is_secret_hint

    found = {f"{vendor}_url", *known()[vendor].account}
    for spec in _specs(vendor):
        required = {one.name for one in fields(spec) if one.default is None}
        for name, hint in spec.get_resolvable_fields().items():
            if is_secret_hint(hint) or (name in required and not is_optional_type(hint)):
                found.add(name)
    return frozenset(found)


def in_file(document: Mapping[str, Any]) -> Iterator[Account]:
    """The accounts that one of dlt's files has a section of."""
    sources = document.get("sources")
    for vendor in known():
        found = sources.get(vendor) if isinstance(sources, Mapping) else None
        named = found.get(SECTION) if isinstance(found, Mapping) else None
        for name, settings in named.items() if isinstance(named, Mapping) else ():
            if isinstance(settings, Mapping):
                yield vendor, str(name)


def in_environment(environment: Iterable[str]) -> Iterator[Account]:
    """Those of which the environment has a setting: SOURCES__BESITOS__ACCOUNTS__EU__BESITOS_TOKEN."""
    for variable in environment:
        for vendor in known():
            before = f"SOURCES__{vendor}__{SECTION}__".upper()
            name, is_whole, _ = variable.upper().removeprefix(before).partition("__")
            if variable.upper().startswith(before) and is_whole:
                yield vendor, name.lower()


def wrong() -> Iterator[str]:
    """A sentence for each account whose name, or whose dataset, cannot be one."""
    taken = {*known(), *_TAKEN}
    for vendor, account in _named:
        where = f"[{'.'.join(section(vendor, account))}]"
        if not _NAME.fullmatch(account) or len(account) > _LONGEST:
            yield (
                f"{where} names no account: write lower case letters, digits and single underscores, such as eu, at "
                f"most {_LONGEST}."
            )
        elif account == _STAGING or account.endswith(f"_{_STAGING}"):
            yield f"{where} cannot be: {dataset(vendor, account)} is where rows wait to be merged. Name it otherwise."
        elif dataset(vendor, account) in taken:
            yield (
                f"{where} would be the dataset {dataset(vendor, account)}, which is somebody else's. Name it otherwise."
            )
        taken.add(dataset(vendor, account))
    yield from _wrong_by_their_tables()


def _wrong_by_their_tables() -> Iterator[str]:
    """Those whose sends would be noted with another one's, or in a table that no server can call so."""
    from conversync.send.placing import fills

    whose = {table: vendor for vendor in known() for table in fills(vendor)}
    for vendor, account in _named:
        where, source = f"[{'.'.join(section(vendor, account))}]", label(vendor, account)
        for table in fills(source):
            if (other := whose.setdefault(table, source)) != source:
                yield (
                    f"{where} cannot be: what is sent there would be noted in {table}, which is of {other}. "
                    "Name it otherwise."
                )
            elif len(table.partition(".")[2]) > _LONGEST_TABLE:
                yield f"{where} cannot be: {table} is too long a name for a table. Name it shorter."


@contextmanager
def asked_for(source: str) -> Iterator[None]:
    """Whatever settings dlt looks for meanwhile, in this thread, are those of this source's account."""
    from conversync.settings import dlt_settings

    vendor, account = parted(source)
    if account:
        dlt_settings.pin_dlt_settings()
    token = _asked.set((vendor, account) if account else None)
    try:
        yield
    finally:
        _asked.reset(token)


def at_work() -> str:
    """The source with a named account whose settings are being looked for, in this thread; "" where there is none."""
    account = _asked.get()
    return label(*account) if account else ""


def placed(error: Exception, source: str) -> Exception:
    """The error; where an account's credentials were refused, with where these stand: vendors name their own place."""
    vendor, account = parted(source)
    if not account or not isinstance(error, CredentialsError):
        return error
    place = f"[{'.'.join(section(vendor, account))}] of .dlt/secrets.toml, or {variable(source, '...')}"
    told = CredentialsError(
        f"{error} Those of {source} stand in {place} in the environment.",
        status=error.status,
        fields=error.fields,
        said=error.said,
    )
    told.__cause__ = error
    return told


Asked = Callable[..., tuple[Any, str]]


def answered(
    asked: Asked, others: Sequence[Asked], key: str, hint: Any, sections: Sequence[str]
) -> tuple[Any, str] | None:
    """What a provider of settings (`asked`) says of a setting in the account at work; None where it is to say its own.

    Asked by sections that end with the vendor's, it says what stands in the account's. It says nothing where the
    setting is the account's own, or another provider (`others`) has it there: the nearest section counts, wherever.
    """
    account = _asked.get()
    if account is None or key not in _fields(account[0]) or sections[:1] not in ((), ("sources",)):
        return None
    place = section(*account)
    if tuple(sections) == ("sources", account[0]):
        value, name = asked(key, hint, None, *place)
        if value is not None:
            return value, name
    if key in own(account[0]) or any(other(key, hint, None, *place)[0] is not None for other in others):
        return None, key
    return None


@cache
def _fields(vendor: str) -> frozenset[str]:
    """All settings of a vendor and of what it takes."""
    return frozenset(name for spec in _specs(vendor) for name in spec.get_resolvable_fields())


def _specs(vendor: str) -> list[Any]:
    """The configspecs of a vendor and of what it takes."""
    declared = known()[vendor]
    return [declared.settings, *(target.settings for target in declared.targets)]
