"""Whose rows a dataset holds: the vendor's address, and what names the account there. Another's are refused (D07).

Two accounts in one dataset would close each other's statements, and start at each other's cursor. What was read last
is kept in the source's state, committed with the rows: the address, what our settings call the account, and of a name
at the vendor's only a fingerprint. A secret is no part of it, so that a token may be renewed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from conversync.errors import SettingsError
from conversync.http.origin import DEFAULT_PORTS, is_loopback, parse_origin
from conversync.settings import accounts, lookup
from conversync.types import Pipeline, Restored, Settings, SqlClient
from conversync.vendors import Vendor, dataset, parted
from conversync.warehouse import datasets, load_order, query
from conversync.warehouse.undoable import PLACES

KEY, PORT = "account", "account_port"
# By which zone the rows' days and times were made, as the setting `<vendor>_zone` had it.
ZONE = "zone"
# What our settings call it: besitos, besitos:eu.
SOURCE = "source"
THIS_MACHINE = "this machine"


def account(vendor: Vendor, settings: Settings) -> dict[str, str]:
    """What tells accounts apart, by the name of the setting; what is not set is left out."""
    setting = f"{vendor.name}_url"
    told = {SOURCE: vendor.label, setting: address(settings[setting], setting)}
    for name in vendor.account:
        if settings[name] is not None:
            told[name] = hashlib.sha256(str(settings[name]).encode()).hexdigest()[:12]
    return told


def address(url: str, setting: str) -> str:
    """Host, port and path of a vendor's address: http or https, a last slash and capitals make no other address.

    All ports of this machine are one: what listens there (a sandbox, a tunnel) changes its port. `moved` tells of it.
    """
    origin = parse_origin(url, setting)
    if is_loopback(origin.host):
        return THIS_MACHINE
    port = "" if origin.port in DEFAULT_PORTS.values() else f":{origin.port}"
    return f"{origin.host.rstrip('.')}{port}{origin.prefix}"


def check(vendor: Vendor, settings: Settings, state: Restored) -> None:
    """SettingsError, with the way out, where the state tells of another account than the settings."""
    before = state.get(KEY, {})
    for name, now in account(vendor, settings).items():
        if before.get(name, now) == now:
            continue
        moved = f"another {name}"
        if name == SOURCE or name.endswith("_url"):
            moved = f"{before[name]}, and {name} is now {now}"
        raise SettingsError(
            f"The dataset {vendor.dataset} was read from {moved}. Another account needs a dataset of its own "
            f"({_section(vendor)}) or a warehouse of its own (--warehouse); if it is the same account that moved, say "
            f"so once: conversync load {vendor.label} --same-account."
        )


def check_zone(vendor: Vendor, settings: Settings, state: Restored) -> None:
    """SettingsError, with the way out, where the rows were loaded in another zone than the one that is set.

    What is read again would be restated, and what is not would stay: days and sums of neither zone.
    """
    before, now = state.get(ZONE), _zone(vendor, settings)
    if now is not None and before not in (None, now):
        setting = f"{vendor.name}_zone"
        raise SettingsError(
            f"The rows of {vendor.dataset} were loaded with {setting} {before}, and it is now {now}: those read "
            f"again would move to other days, and older ones stay. Set {setting} to {before} again, or load everything "
            "anew into a warehouse of its own (--warehouse)."
        )


def _zone(vendor: Vendor, settings: Settings) -> str | None:
    """The zone that is set; None of a vendor without such a setting."""
    setting = f"{vendor.name}_zone"
    return str(settings[setting]) if setting in settings.get_resolvable_fields() else None


def check_new(pipeline: Pipeline, vendor: Vendor, settings: Settings, state: Restored) -> None:
    """SettingsError, with the way out, where this account may stand under another name already.

    That is where nothing was loaded of it, and a dataset that no settings name any more has all that tells it apart.
    """
    if state.get(KEY):
        return
    now = {name: told for name, told in account(vendor, settings).items() if name != SOURCE}
    for other, before in _left_over(pipeline, vendor):
        if all(before.get(name) == told for name, told in now.items()):
            raise SettingsError(
                f"The dataset {other.dataset} has rows of an account at {now[f'{vendor.name}_url']}, which no settings "
                f"name any more. If {vendor.label} is that account under another name, all of it would count twice: "
                f"call it {other.label} again. If it is another account, say so once: conversync load {vendor.label} "
                "--new-account."
            )


def _left_over(pipeline: Pipeline, vendor: Vendor) -> Iterator[tuple[Vendor, Mapping[str, str]]]:
    """The vendor's other accounts in this database that no settings name, each with what tells it apart."""
    if pipeline.destination.destination_type not in PLACES:
        return
    with pipeline.sql_client() as client:
        loaded = [one for one in datasets.accounts(partial(query.rows, client)) if one.name == vendor.name]
        for other in (replace(vendor, of_account=""), *loaded):
            if other.label != vendor.label and not lookup.is_named(other.settings, other.label):
                yield other, _noted(client, vendor.name, other.dataset)


def _noted(client: SqlClient, vendor: str, name: str) -> Mapping[str, str]:
    """Whose rows a dataset of this name holds, as its last load noted; empty where nothing was ever loaded."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    def place(table: str) -> str:
        return ".".join(map(client.escape_column_name, (name, table)))

    try:
        _, state = load_order.newest_state(client, place, datasets.pipeline_name(name))
    except DatabaseUndefinedRelation:
        return {}
    return dict(state.get("sources", {}).get(vendor, {}).get(KEY, {}))


def sent_elsewhere(client: SqlClient, source: str, settings: Settings) -> str | None:
    """Why nothing may be sent to a source (`keitaro:eu`) that was read from another address; None where it was not.

    What the one was sent would count as sent to the other. Of what was never read nobody knows.
    """
    vendor, account = parted(source)
    setting, name = f"{vendor}_url", dataset(vendor, account)
    if setting not in settings.get_resolvable_fields():
        return None
    before, now = _noted(client, vendor, name).get(setting), address(settings[setting], setting)
    if before in (None, now):
        return None
    return (
        f"{name} was read from {before}, and {setting} is now {now}: what was sent to the one would count as sent to "
        f"the other. If it is the same account that moved, say so once: conversync load {source} --same-account; "
        f"another one needs a section [{'.'.join(accounts.section(vendor, 'NAME'))}]."
    )


def moved(vendor: Vendor, settings: Settings, state: Restored) -> str | None:
    """A sentence without its full stop where the dataset was read from another port of this machine; else None.

    Nothing that answers there says whose it is, so it is taken for the same account, and told.
    """
    before, now = state.get(PORT), _port(vendor, settings)
    if None in (before, now) or before == now:
        return None
    return (
        f"{vendor.name}_url is port {now} of this machine, and was port {before} at the last load: it is taken for the "
        f"same account; another one needs {_section(vendor)}, or a warehouse of its own (--warehouse)"
    )


def _section(vendor: Vendor) -> str:
    """Where another account of the vendor is named."""
    return f"a section [{'.'.join(accounts.section(vendor.name, 'NAME'))}]"


def _port(vendor: Vendor, settings: Settings) -> int | None:
    """The port, where the vendor is on this machine."""
    setting = f"{vendor.name}_url"
    origin = parse_origin(settings[setting], setting)
    return origin.port if is_loopback(origin.host) else None


def note(pipeline: Pipeline, vendor: Vendor, settings: Settings) -> None:
    """Puts the account into the source's state, to be committed with the next rows."""
    now = account(vendor, settings)
    with pipeline.managed_state() as state:
        source = state.setdefault("sources", {}).setdefault(vendor.name, {})
        if {**source.get(KEY, {}), **now} != source.get(KEY):
            source[KEY] = {**source.get(KEY, {}), **now}
        if (zone := _zone(vendor, settings)) is not None:
            source[ZONE] = zone
        if (port := _port(vendor, settings)) is not None:
            source[PORT] = port
