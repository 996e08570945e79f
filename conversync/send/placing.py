"""Where what a target fills and reads is: each account has tables of its own, where the vendor declares those of one.

A target, its answers and its warnings speak of `infobip.processes` and `sent.infobip_message_results`, whichever
account they are of; of `infobip:eu` these are `infobip_eu.processes` and `sent.infobip_eu_message_results`. What is no
table of the vendor's, and is only read, is everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from conversync.send.target import Target
from conversync.vendors import at_account, dataset, known, parted, source_of

DATASET = "sent"


def table_of(target: str) -> str:
    """Its ledger: `keitaro_conversions`, and `keitaro_eu_conversions` of `keitaro:eu.conversions`."""
    return target.replace(":", "_").replace(".", "_")


def placed(target: Target, table: str) -> str:
    """Where a table is that a target names, as dataset.table."""
    vendor, account = parted(source_of(target.name))
    place = table.partition(".")[0]
    if not account or (place not in (vendor, DATASET) and table not in target.keys):
        return table
    return of_account(vendor, account, table)


def of_account(vendor: str, account: str, table: str) -> str:
    """The table of an account, of a declared one (dataset.table)."""
    place, _, name = table.partition(".")
    mine = dataset(vendor, account)
    return f"{mine}.{name}" if place == vendor else f"{place}.{mine}_{name.removeprefix(f'{vendor}_')}"


def fills(source: str) -> list[str]:
    """The tables (dataset.table) that sends to a source fill outside of its own dataset: no other source may."""
    vendor, account = parted(source)
    found = [f"{DATASET}.{name}" for name in _declared(vendor)]
    found += [name for target in known()[vendor].targets for name in target.keys]
    outside = dict.fromkeys(name for name in found if not name.startswith(f"{vendor}."))
    return [of_account(vendor, account, name) if account else name for name in outside]


def whose(table: str) -> tuple[str, str] | None:
    """Which declared table of `sent` one is, and of which account, by its name; None where it is none."""
    if any(name == table for _, name, _ in _all()):
        return table, ""
    fits = [
        (name, table[len(vendor) + 1 : -len(rest) - 1])
        for vendor, name, rest in _all()
        if _is(table, vendor, rest)
    ]
    return max(fits, key=lambda one: len(one[0]), default=None)


def _is(table: str, vendor: str, rest: str) -> bool:
    """Whether it may be an account's: `keitaro_eu_conversions`."""
    beginning, end = f"{vendor}_", f"_{rest}"
    return table.startswith(beginning) and table.endswith(end) and len(table) > len(beginning) + len(end)


def target_of(table: str) -> str | None:
    """The target whose ledger a table of `sent` is, by its name; None where it is none."""
    declared, account = whose(table) or ("", "")
    ledgers = {table_of(one.name): one.name for vendor in known().values() for one in vendor.targets}
    return at_account(ledgers[declared], account) if declared in ledgers else None


def _declared(vendor: str) -> list[str]:
    """What a vendor fills in `sent`, as it is called for its first account."""
    one = known()[vendor]
    names = [table_of(target.name) for target in one.targets] + [table.name for table in one.ledgers]
    filled = [name.partition(".") for target in one.targets for name in target.keys]
    return list(dict.fromkeys([*names, *(name for place, _, name in filled if place == DATASET)]))


@cache
def _all() -> tuple[tuple[str, str, str], ...]:
    """Of all vendors: the vendor, the table, and its name without the vendor's."""
    return tuple(_of_all())


def _of_all() -> Iterator[tuple[str, str, str]]:
    for vendor in known():
        for name in _declared(vendor):
            yield vendor, name, name.removeprefix(f"{vendor}_")
