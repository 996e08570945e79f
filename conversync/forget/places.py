"""Where in a warehouse something of a person may stand, and what each column is to a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from conversync.build import SCHEMAS
from conversync.extract.declared import EXTRA
from conversync.extract.evidence import REJECTED_ROWS, WINDOWS
from conversync.types import SqlClient
from conversync.vendors import Vendor, known
from conversync.warehouse.query import rows
from conversync.warehouse.tombstones import DATASET as PRIVACY
from conversync.warehouse.undoable import PREFIX as UNDO

# What a column is: an id of a person; text in which one may stand; fields that no document knows; a row as it came;
# what a listing was narrowed by; any cell of a table of the user's own.
How = Literal["id", "text", "extra", "raw", "filters", "cell"]
SENT, STAGING = "sent", "_staging"
# A ledger, or one that waits to be merged.
LEDGER = {"send_key", "content", "content_hash"}
# In tables of the user's own, what names no person even where its digits are those of an id.
OTHER_IDS = {
    "send_key",
    "tid",
    "transaction_id",
    "event_key",
    "conversion_id",
    "offer_id",
    "goal_id",
    "campaign_id",
}
# Nobody stands in these.
NOBODYS = {PRIVACY, "books"}
_TABLES = """
    select c.table_schema, c.table_name, c.column_name, c.data_type, c.is_nullable
    from information_schema.columns as c
    inner join information_schema.tables as t
        on c.table_catalog = t.table_catalog and c.table_schema = t.table_schema and c.table_name = t.table_name
    where t.table_type = 'BASE TABLE' and c.table_catalog = current_database()
        and c.table_schema not in ('information_schema', 'pg_catalog')
    order by c.table_schema, c.table_name, c.ordinal_position
"""


@dataclass(frozen=True)
class Place:
    """One table; `columns` are those in which something of a person may stand."""

    schema: str
    table: str
    columns: Mapping[str, How]
    nullable: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    """All columns that it has."""
    vendor: Vendor | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def is_ledger(self) -> bool:
        """Whether it is the ledger of a target's sends."""
        return self.schema.removesuffix(STAGING) == SENT and set(self.names) >= LEDGER

    def within(self, client: SqlClient) -> str:
        """Its name in SQL."""
        return f"{client.escape_column_name(self.schema)}.{client.escape_column_name(self.table)}"


def places(client: SqlClient, *, digits: bool) -> Iterator[Place]:
    """Every table that may hold something; `digits`: the ids are numbers, which name other things, too."""
    for (schema, table), columns in _columns(client).items():
        vendor = of_dataset(schema)
        if hows := _hows(schema, table, {one.name for one in columns if one.is_text}, vendor, digits=digits):
            nullable = frozenset(one.name for one in columns if one.is_nullable == "YES")
            yield Place(schema, table, hows, nullable, tuple(one.name for one in columns), vendor)


def _columns(client: SqlClient) -> Mapping[tuple[str, str], Sequence[_Column]]:
    """By schema and table, what the destination has, but for dlt's own and where nobody stands."""
    found: dict[tuple[str, str], list[_Column]] = defaultdict(list)
    for schema, table, *column in rows(client, _TABLES):
        if schema not in NOBODYS and not table.startswith("_dlt"):
            found[schema, table].append(_Column(*column))
    return found


class _Column(NamedTuple):
    name: str
    type: str
    is_nullable: str

    @property
    def is_text(self) -> bool:
        """Whether an id can stand in it."""
        return any(one in self.type.upper() for one in ("CHAR", "TEXT", "JSON"))


def of_dataset(schema: str) -> Vendor | None:
    """The vendor whose tables lie there: its dataset, that of an account, or where their rows wait to be merged."""
    name = schema.removesuffix(STAGING)
    longest = sorted(known().values(), key=lambda one: len(one.name), reverse=True)
    return next((one for one in longest if name == one.name or name.startswith(f"{one.name}_")), None)


def _hows(schema: str, table: str, texts: set[str], vendor: Vendor | None, *, digits: bool) -> dict[str, How]:
    """What each column is, of those that may hold something."""
    # What a load replaced, and keeps to be taken back by, holds what its table holds.
    name = table.removeprefix(UNDO)
    declared = _declared(vendor).get(name) if vendor is not None else None
    if declared is None and schema in SCHEMAS:
        declared = _by_name()
    kept = OTHER_IDS if digits else set[str]()
    own = _own(name, texts, vendor, declared)
    found: dict[str, How] = {one: "cell" for one in sorted(own) if one.lower() not in kept}
    return found | {one: how for one, how in (declared or {}).items() if one in texts}


def _own(table: str, texts: set[str], vendor: Vendor | None, declared: Mapping[str, How] | None) -> set[str]:
    """The columns that are the user's own: all of a table of theirs, and those that they added to a vendor's."""
    if declared is None:
        return texts
    ours = _columns_of(vendor).get(table, texts) if vendor is not None else texts
    # dlt's, and those of what is kept to be taken back, begin so.
    return {one for one in texts - ours if not one.startswith("_")}


def _columns_of(vendor: Vendor) -> dict[str, set[str]]:
    """By table, all columns that it has of us."""
    tables = (*vendor.tables, REJECTED_ROWS, WINDOWS)
    return {table.name: {one.name for one in table.columns} for table in tables}


def _declared(vendor: Vendor) -> dict[str, dict[str, How]]:
    """By table, what the vendor says of its columns."""
    found: dict[str, dict[str, How]] = {
        table.name: {one.name: _how(one.name, one.person) for one in table.columns if one.person}
        for table in vendor.tables
    }
    return {**found, REJECTED_ROWS.name: {"raw": "raw"}, WINDOWS.name: {"filters": "filters"}}


def _how(name: str, person: str) -> How:
    return "extra" if name == EXTRA.name else "id" if person == "id" else "text"


def _by_name() -> dict[str, How]:
    """In the models, a column is what it is called."""
    found: dict[str, How] = {
        "raw": "raw",
        "filters": "filters",
        **dict.fromkeys(("content", "identities"), "cell"),
    }
    for vendor in known().values():
        for columns in _declared(vendor).values():
            found |= columns
    return found


def mappings() -> set[str]:
    """The tables that say who is who, as the settings of the sends name them."""
    from conversync.send.options import read
    from conversync.send.outbox import PLAYER_IDS
    from conversync.settings.accounts import targets

    named = {read(target, "send_player_ids") or PLAYER_IDS for target in targets()}
    return {name if "." in name else f"main.{name}" for name in named if name != "user_id"}
