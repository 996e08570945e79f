"""`conversync reconcile`: what was sent beside what the vendor's own tables say arrived. Reads the warehouse only.

How, a vendor declares (`Vendor.reconcile`): `arrivals` compares single conversions, others compare counts. What the
tables cannot prove is said, and is no difference.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conversync.cli.terminal import emit, say
from conversync.dlt_errors import translate_errors
from conversync.errors import SettingsError
from conversync.load import pipeline_for
from conversync.send import ledger
from conversync.send.comparison import Ask, Comparison
from conversync.send.records import Record, moment
from conversync.settings.registry import guess
from conversync.vendors import known
from conversync.warehouse import confined
from conversync.warehouse.warehouse import Warehouse

SHOWN = 20


def reconcile(warehouse: Warehouse, vendor: str) -> Comparison:
    """Compares; SettingsError for a vendor that shows nothing to compare with, and where nothing was sent or loaded."""
    ways = {name: one.reconcile for name, one in known().items() if one.reconcile is not None}
    if vendor not in ways:
        raise SettingsError(
            f'"{vendor}" cannot be compared; those that can are {", ".join(ways)}.{guess(vendor, list(ways))}'
        )
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    with translate_errors(), tempfile.TemporaryDirectory() as folder:
        destination = warehouse.dlt_destination(["sent"], read_only=True)
        with confined.reading(pipeline_for("sent", destination, Path(folder))) as client:
            ask = _asker(client)
            way = ways[vendor]
            table = ledger.table_of(way.target)
            found = way.compare(ask, _ledger(client, table, way.target))
            unread = list(_unread(ask, vendor, table))
            found.notes[:0] = unread
            found.unread = bool(unread)
            return found


def _asker(client: Any) -> Ask:
    from conversync.dlt_internals import DatabaseUndefinedRelation

    def ask(query: str) -> list[Any] | None:
        """The rows; None where a table does not exist."""
        try:
            return list(client.execute_sql(query) or [])
        except DatabaseUndefinedRelation:
            return None

    return ask


def _unread(ask: Ask, vendor: str, table: str) -> Iterator[str]:
    """Says so where the vendor was not read since something was sent."""
    loads = ask(f"select max(inserted_at) from {vendor}._dlt_loads where status = 0")  # noqa: S608 - our own names
    sent = ask(f"select max(sent_at) from sent.{table} where status = 'sent'")  # noqa: S608
    if loads and sent and loads[0][0] and sent[0][0] and loads[0][0] < sent[0][0]:
        yield (
            f"{vendor} was last read at {moment(loads[0][0])[:16]} UTC, before the last send: "
            f"run `conversync load {vendor}`, then compare again"
        )


def _ledger(client: Any, table: str, target: str) -> list[Record]:
    place = f"sent.{table}"
    rows = ledger.known_rows(client, [place]).get(place)
    if rows is None:
        raise SettingsError(f"Nothing was sent to {target} yet: there is no table {place}.")
    return [_record(row) for row in rows]


def _record(row: Mapping[str, Any]) -> Record:
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


def _text(value: Any) -> str | None:
    """JSON as text, whichever of the two a destination gives back."""
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)
