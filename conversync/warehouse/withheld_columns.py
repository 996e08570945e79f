"""What of the warehouse is not published: texts, numbers and rows as they came, unless publish_personal says so.

Tables, columns and types of the copy are the warehouse's; what is withheld is null there. It was never in the file: a
copy of the file's bytes would keep, in its unused parts, what was nulled afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from conversync.send.forgetting import REMOVED, holds
from conversync.types import Connection
from conversync.vendors import targets
from conversync.warehouse import confined_sql, duckdb_limits
from conversync.warehouse.undoable import PREFIX

log = logging.getLogger("conversync")

RAW = "raw"
REJECTED = "rejected_rows"
KEY = "send_key"
NOTHING = "null"
# Of a ledger, beside the columns of an outbox.
LEDGER = ("content", "identities", "answer", "reason")

Tables = dict[tuple[str, str], dict[str, str]]


def withheld(source: Path) -> Tables:
    """By (schema, table), what stands for each column that is withheld, as SQL; without those that never held any."""
    import duckdb

    with duckdb.connect(str(source), read_only=True) as connection:
        found = dict(_withheld(connection))
        return {place: columns for place, columns in found.items() if _ever_held(connection, place, columns)}


def _withheld(connection: Connection) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    personal = {name for target in targets().values() for name in target.personal}
    rows = connection.execute(
        "select schema_name, table_name, list(column_name) from duckdb_columns() where not internal and "
        "(schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables()) group by all order by all"
    )
    for schema, table, listed in rows.fetchall():
        # As DuckDB does, and as an outbox is read: a name is the same in capitals.
        names = {name.lower(): name for name in listed}
        if columns := _of_table(table, names, personal):
            yield (schema, table), columns


def _of_table(table: str, names: Mapping[str, str], personal: set[str]) -> dict[str, str]:
    """What stands for each of its columns that is withheld; `names` are all of them, by the name in small letters."""
    if table.lower().removeprefix(PREFIX) == REJECTED and RAW in names:
        return {names[RAW]: NOTHING}
    if {KEY, "content_hash", *LEDGER} <= set(names):
        told = " or ".join(f"cast(content as varchar) like '{word}'" for word in holds(sorted(personal)))
        return {names[name]: f"case when {told} then null else {name} end" for name in LEDGER}
    own = sorted(personal & set(names)) if KEY in names else []
    return dict.fromkeys((names[name] for name in own), NOTHING)


def _ever_held(connection: Connection, place: tuple[str, str], columns: dict[str, str]) -> bool:
    """Whether anything that is withheld stands there, or stood there until it was too old."""
    told = " or ".join(
        f"({_quoted(name)} is not null and ({said}) is null)" for name, said in columns.items()
    )
    names = {name.lower() for name in columns}
    if "reason" in names:
        told += f" or reason = '{REMOVED}'"
    elif RAW in names:
        told = "true"
    query = f"select 1 from {_quoted(*place)} where {told} limit 1"  # noqa: S608 - names from the catalogue
    return bool(connection.execute(query).fetchall())


def copy_without(source: Path, new: Path, columns: Tables, spill: Path) -> None:
    """Writes every table, view and comment anew, without what is withheld. The new file must not exist."""
    import duckdb

    with duckdb.connect(config={**duckdb_limits.limits(), "preserve_insertion_order": False}) as connection:
        for name, path, how in (("old", source, " (read_only)"), ("new", new, "")):
            quoted = str(path).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name}{how}")
        confined_sql.close(connection, spill)
        connection.execute("copy from database old to new (schema)")
        for schema, table, definition in connection.execute(_TABLES).fetchall():
            own = columns.get((schema, table), {})
            try:
                _copy_table(connection, (schema, table), definition, own)
            except (duckdb.ConstraintException, duckdb.DependencyException):
                if not own:
                    raise
                log.warning("The copy has no rows of %s.%s: its own key may not be published.", schema, table)


# In the order in which they were made: what others refer to comes first.
_TABLES = (
    "select schema_name, table_name, sql from duckdb_tables() where database_name = 'old' order by table_oid"
)
_COLUMNS = """
    select column_name, data_type, is_nullable from duckdb_columns()
    where database_name = 'old' and schema_name = ? and table_name = ? order by column_index
"""


def _copy_table(connection: Connection, place: tuple[str, str], definition: str, own: dict[str, str]) -> None:
    """The rows of one table. Raises what DuckDB does where a column that is withheld is part of a person's own key."""
    target, names, values = _quoted("new", *place), [], []
    for name, kind, is_nullable in connection.execute(_COLUMNS, place).fetchall():
        if any(f"{one} {kind} GENERATED ALWAYS" in definition for one in (name, _quoted(name))):
            continue
        if own.get(name) == NOTHING and not is_nullable:
            connection.execute(f"alter table {target} alter column {_quoted(name)} drop not null")
        names.append(_quoted(name))
        values.append(own.get(name, _quoted(name)))
    listed, said = ", ".join(names), ", ".join(values)
    connection.execute(f"insert into {target} ({listed}) select {said} from {_quoted('old', *place)}")  # noqa: S608 - names from the catalogue


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
