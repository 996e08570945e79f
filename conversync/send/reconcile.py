"""`conversync reconcile`: what was sent beside what the vendor's own tables say arrived. Reads the warehouse only.

How, a vendor declares (`Vendor.reconcile`): `arrivals` compares single conversions, others compare counts. It asks for
the tables of the first account; of another one what it asks is put to that one's. What the tables cannot prove is said,
and is no difference.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from conversync.cli.terminal import emit, say
from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, SettingsError
from conversync.load import pipeline_for
from conversync.send import ledger
from conversync.send.comparison import Ask, Comparison
from conversync.send.placing import DATASET, of_account, table_of
from conversync.send.records import Record, moment
from conversync.settings.accounts import accounts_of
from conversync.settings.registry import guess
from conversync.types import Row, SqlClient, Values
from conversync.vendors import at_account, dataset, known, parted
from conversync.warehouse import confined_sql
from conversync.warehouse.query import rows
from conversync.warehouse.warehouse import Warehouse

SHOWN = 20


def reconcile(warehouse: Warehouse, source: str) -> Comparison:
    """Compares what was sent to an account with what its dataset has.

    SettingsError for a source that shows nothing to compare with, and where nothing was sent or loaded.
    """
    ways = {one.label: one.reconcile for name in known() for one in accounts_of(name) if one.reconcile}
    if source not in ways:
        raise SettingsError(
            f'"{source}" cannot be compared; those that can are {", ".join(ways)}.{guess(source, list(ways))}'
        )
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    with translate_errors(), tempfile.TemporaryDirectory() as folder:
        warehouse.check_opens()
        destination = warehouse.dlt_destination([DATASET], read_only=True)
        with confined_sql.reading(pipeline_for(DATASET, destination, Path(folder))) as client:
            vendor, account = parted(source)
            ask = _asker(client, vendor, account)
            sent = _ledger(client, at_account(ways[source].target, account))
            loaded = ask(f"select max(inserted_at) from {vendor}._dlt_loads where status = 0")  # noqa: S608 - our own names
            if account and not loaded:
                raise SettingsError(
                    f"What {source} has itself is not in the warehouse: run `conversync load {source}` first."
                )
            found = ways[source].compare(ask, sent)
            found.vendor = source
            unread = list(_unread(source, loaded, sent))
            found.notes[:0] = unread
            found.unread = bool(unread)
            return found


def _asker(client: SqlClient, vendor: str, account: str) -> Ask:
    from conversync.dlt_internals import DatabaseUndefinedRelation

    dialect = client.capabilities.sqlglot_dialect

    def ask(query: str) -> Sequence[Values] | None:
        """The rows; None where a table does not exist."""
        try:
            return rows(client, placed(query, vendor, account, dialect) if account else query)
        except DatabaseUndefinedRelation:
            return None

    return ask


def placed(query: str, vendor: str, account: str, dialect: str | None) -> str:
    """A vendor's question over the tables of its first account, over those of this one.

    ConversyncError where it cannot be read: it would be answered by another account's rows.
    """
    import sqlglot
    from sqlglot import exp

    try:
        found = sqlglot.parse_one(query, dialect=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise ConversyncError(
            f"How {vendor} is compared cannot be asked of an account with a name: its query is no SQL that can be read."
        ) from error
    for table in list(found.find_all(exp.Table)):
        if table.db in (vendor, DATASET):
            place, _, name = of_account(vendor, account, f"{table.db}.{table.name}").partition(".")
            if name != table.name and not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
            table.set("db", exp.to_identifier(place, quoted=True))
            if name != table.name:
                table.set("this", exp.to_identifier(name, quoted=True))
    for column in found.find_all(exp.Column):
        if column.db == vendor:
            column.set("db", exp.to_identifier(dataset(vendor, account), quoted=True))
    return found.sql(dialect=dialect)


def _unread(source: str, loaded: Sequence[Values] | None, sent: Sequence[Record]) -> Iterator[str]:
    """Says so where the source was not read since something was sent."""
    read = moment(loaded[0][0]) if loaded and loaded[0][0] else None
    last = max((one.sent_at for one in sent if one.status == "sent"), default=None)
    if read and last and read < last:
        yield (
            f"{source} was last read at {read[:16]} UTC, before the last send: "
            f"run `conversync load {source}`, then compare again"
        )


def _ledger(client: SqlClient, target: str) -> list[Record]:
    place = f"{DATASET}.{table_of(target)}"
    found = ledger.rows_of(client, place)
    if found is None:
        raise SettingsError(f"Nothing was sent to {target} yet: there is no table {place}.")
    return [_record(row) for row in found]


def _record(row: Row) -> Record:
    """What is compared of a row of the ledger, whichever version wrote it."""
    return Record(
        send_key=row["send_key"],
        status=row["status"],
        reason=row.get("reason"),
        response_code=None,
        attempts=0,
        content_hash="",
        content=_text(row["content"]) or "{}",
        answer=_text(row["answer"]) or "{}",
        first_sent_at="",
        sent_at=moment(row["sent_at"]),
        identities=_text(row.get("identities")),
        outbox=row.get("outbox"),
    )


def show(found: Comparison, log_format: str) -> None:
    """The comparison as a table, or as JSON."""
    if log_format == "json":
        differences = [vars(one) for one in found.differences]
        emit({"event": "reconciliation", **vars(found), "differences": differences})
        return
    say(
        f"{found.vendor}: {found.sent:,} sent, {found.agree:,} there as sent, "
        f"{len(found.differences):,} differences"
    )
    for one in found.differences[:SHOWN]:
        say(f"  {one.send_key}: {one.what}: sent {one.sent}; there {one.there or 'nothing'}")
    if len(found.differences) > SHOWN:
        say(f"  ... and {len(found.differences) - SHOWN:,} more")
    for note in found.notes[:SHOWN]:
        say(f"  {note}.")


def _text(value: object) -> str | None:
    """JSON as text, whichever of the two a destination gives back."""
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)
