"""What was sent of a person: the lines stay, with their amounts, and nothing of them is ever sent again.

A line that was cleared is of the outbox `FORGOTTEN`, by which every later send leaves it alone. One in doubt cannot be
cleared: whether it arrived is not known, and without its content nobody could find out.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from conversync.errors import ConversyncError
from conversync.forget.cleared import REMOVED, Sought, found
from conversync.forget.places import Place
from conversync.send.journal import BUSY
from conversync.send.outbox import FORGOTTEN, fingerprint
from conversync.send.placing import target_of
from conversync.send.records import as_json
from conversync.settings.accounts import target_named
from conversync.types import Document, Row, SqlClient

IN_DOUBT = "in_doubt"
REASON = f"{REMOVED}: the person was forgotten"
# What of a line may tell of a person.
TOLD = ("send_key", "content", "identities", "answer", "reason")
_WHOLE = (*TOLD, "status", "outbox", "content_hash")


def ledger_changes(client: SqlClient, place: Place, sought: Sought) -> dict[object, Document]:
    """By row of a ledger, what changes; ConversyncError where one is in doubt."""
    names = [name for name in _WHOLE if name in place.names]
    target = target_of(place.table) or place.table
    rows = (
        (which, {name: _text(one) for name, one in row.items()})
        for which, row in found(client, place, sought, names)
    )
    return {which: _cleared(line, target, sought) for which, line in rows if _tells(line, sought)}


def _cleared(row: Row, target: str, sought: Sought) -> Document:
    """The line as it stands afterwards; ConversyncError where it is in doubt."""
    if row["status"] == IN_DOUBT:
        raise _doubted(target)
    known = target_named(target)
    personal = known.personal if known else ()
    content = as_json(_without(row["content"], sought, personal))
    new: Document = {
        "content": content,
        "content_hash": fingerprint(content),
        "identities": "[]",
        "answer": as_json(_without(row["answer"], sought)),
        "reason": row.get("reason") and REASON,
        "outbox": FORGOTTEN,
        "send_key": row["send_key"],
        "tables": "{}",
    }
    if sought.persons.holds(row["send_key"]):
        new["send_key"] = f"{REMOVED} {uuid.uuid4()}"
    return {name: value for name, value in new.items() if name in row}


def _without(text: str | None, sought: Sought, names: Sequence[str] = ()) -> Document:
    """An object without what tells of the person."""
    fields = json.loads(text or "{}", parse_float=Decimal)
    return {
        name: value
        for name, value in fields.items()
        if name not in names and not sought.persons.in_json(as_json({name: value}))
    }


def _doubted(target: str) -> ConversyncError:
    return ConversyncError(
        f"A row of {target} that tells of this person is in doubt: the vendor may have it. Nothing was forgotten. "
        f"Settle it first, with conversync send {target} and --resend-in-doubt, --resolve-in-doubt or --adopt."
    )


def in_journal(path: Path, sought: Sought, *, clears: bool) -> int:
    """How many lines of the journal tell of the person; with `clears` they do no more, nor does any part of the file.

    ConversyncError where one of them is on its way, or in doubt. The caller holds the locks of all sends.
    """
    if not path.exists():
        return 0
    place = str(path) if clears else f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(place, uri=not clears, isolation_level=None, timeout=BUSY)) as db:
        db.row_factory = sqlite3.Row
        for line in _theirs(db, "intents", sought):
            raise _doubted(str(line["target"]))
        lines = _theirs(db, "outcomes", sought)
        theirs = [(line, _cleared(line, str(line["target"]), sought)) for line in lines]
        if clears:
            _write(db, theirs)
    return len(theirs)


def _theirs(db: sqlite3.Connection, table: str, sought: Sought) -> Iterator[Row]:
    """The lines that tell of the person; the others are let go as they are read."""
    return (line for line in map(dict, db.execute(f"select * from {table}")) if _tells(line, sought))  # noqa: S608


def _tells(line: Row, sought: Sought) -> bool:
    texts = [str(line[name]) for name in (*TOLD, "tables") if line.get(name)]
    whole = "\n".join(texts).lower()
    return any(word in whole for word in sought.words) and any(map(sought.persons.in_json, texts))


def _write(db: sqlite3.Connection, theirs: Sequence[tuple[Row, Row]]) -> None:
    db.execute("pragma secure_delete = on")
    db.execute("begin immediate")
    for line, new in theirs:
        listed = ", ".join(f"{name} = ?" for name in new)
        whose = (line["target"], line["send_key"])
        db.execute(f"update outcomes set {listed} where target = ? and send_key = ?", (*new.values(), *whose))  # noqa: S608
    db.execute("commit")
    db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")


def _text(value: object) -> str | None:
    return as_json(value) if isinstance(value, dict | list) else None if value is None else str(value)


def aliases(client: SqlClient, place: Place, sought: Sought) -> Iterator[str]:
    """What else the person is called, by a table that says who is who."""
    names = [name for name in ("subid", "tested_user_external_id") if name in place.names]
    for _, values in found(client, place, sought, names) if names else ():
        if any(sought.persons.is_one(values[name]) for name in place.columns if values[name] is not None):
            yield from (str(values[name]) for name in names if values[name] is not None)
