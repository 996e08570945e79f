"""Whose rows a dataset holds: the vendor's address, and what names the account there. Another's are refused (D07).

Two accounts in one dataset would close each other's statements, and start at each other's cursor. What was read last
is kept in the source's state, committed with the rows: the address, what our settings call the account, and of a name
at the vendor's only a fingerprint. A secret is no part of it, so that a token may be renewed.
"""

from __future__ import annotations

import hashlib

from conversync.errors import SettingsError
from conversync.http.origin import DEFAULT_PORTS, is_loopback, parse_origin
from conversync.settings import accounts
from conversync.types import Pipeline, Restored, Settings
from conversync.vendors import Vendor

KEY, PORT = "account", "account_port"
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
        if (port := _port(vendor, settings)) is not None:
            source[PORT] = port
