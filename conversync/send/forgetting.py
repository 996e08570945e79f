"""What tells of a person in the books of a send, after `retain_sent_days`: it goes, and no row goes out again for it.

A row in doubt keeps everything until it is settled. Of any other row the columns that the target names (`personal`)
leave what was sent, under whatever identity; the vendor's words go, and numbers leave the answer. Its key, status,
fingerprints, amounts, identities and times stay, and with them all that decides whether it goes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from conversync.count_words import rows
from conversync.http.redact import redact
from conversync.load import pipeline_for
from conversync.send import ledger, loading
from conversync.send.journal import Journal
from conversync.send.placing import placed
from conversync.send.records import Record, as_json, moment
from conversync.send.target import Row, Target
from conversync.types import Destination, SqlClient
from conversync.warehouse import retention
from conversync.warehouse.views import MARIADB

# What stands for the vendor's words that are kept no more.
REMOVED = "removed, as retain_sent_days says"
# Shorter ones would mask half of every sentence.
SHORTEST = 6
_NO_DIGIT = re.compile(r"\D")


@dataclass(frozen=True)
class Old:
    """The keys of rows that are old enough, settled, and still tell of a person, in each of the books."""

    ledger: list[str]
    journal: list[str]

    def __bool__(self) -> bool:
        return bool(self.ledger or self.journal)


def forget(destination: Destination, folder: Path, target: Target, journal: Journal) -> str | None:
    """Does it in ledger and journal; what was done as a sentence, if anything.

    The caller holds the warehouse, and the lock of the target's sends. Each book forgets what it has itself, so that
    neither learns an older state from the other. A kill in between leaves the rest for the next time.
    """
    with pipeline_for(ledger.DATASET, destination, folder).sql_client() as client:
        old = look(client, target, journal)
        records = list(ledger.records(client, target, old.ledger))
        _forget_tables(client, target, old.ledger)
    if not old:
        return None
    if records:
        loading.load(destination, folder, target, [forgotten(one, target) for one in records])
    lines = (journal.record(key) for key in old.journal)
    journal.forget([forgotten(one, target) for one in lines if one is not None])
    count = len({*old.ledger, *old.journal})
    return f"{target.name}: what tells of a person in {rows(count)} sent long ago was removed, as retain_sent_days says"


def forgotten(record: Record, target: Target) -> Record:
    """The line without what tells of a person."""
    answer = json.loads(record.answer, parse_float=Decimal)
    kept = target.forgotten(answer, record.send_key, may_go_again=record.status != "sent")
    return replace(
        record,
        content=_without(record.content, target.personal),
        identities=record.identities and _identities(record.identities, target.personal),
        answer=as_json(kept),
        reason=record.reason and REMOVED,
        tables="{}",
    )


def impersonal(words: str, row: Row, target: Target) -> str:
    """Somebody's words about a row, such as a vendor's that quotes it, without what it tells of a person."""
    values = [text for name in target.personal for text in _texts(row.get(name))]
    digits = [_NO_DIGIT.sub("", text) for text in values]
    return redact(words, *(text for text in (*values, *digits) if len(text) >= SHORTEST))


def _texts(value: object) -> list[str]:
    """The texts of a cell: itself, or those of a list, also one that is written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    listed = value if isinstance(value, list | tuple) else [value]
    return [str(one).strip() for one in listed if one is not None]


def _without(content: str, names: Sequence[str]) -> str:
    row = json.loads(content, parse_float=Decimal)
    return as_json({name: value for name, value in row.items() if name not in names})


def _identities(text: str, names: Sequence[str]) -> str:
    listed = json.loads(text, parse_float=Decimal)
    for one in listed:
        one["content"] = {name: value for name, value in one["content"].items() if name not in names}
    return as_json(listed)


def look(client: SqlClient, target: Target, journal: Journal) -> Old:
    """What is to be forgotten now."""
    before = retention.cutoff("retain_sent_days")
    if before is None or not target.personal:
        return Old([], [])
    words, doubted = holds(target.personal), {one.send_key for one in journal.intents()}
    # MariaDB keeps JSON as the text that came.
    content = "content" if client.capabilities.sqlglot_dialect == MARIADB else "cast(content as varchar)"
    like = " or ".join([f"{content} like %s"] * len(words))
    query = (
        f"select send_key from {ledger.place_of(client, target)} "  # noqa: S608 - our own names
        f"where sent_at < %s and status <> 'in_doubt' and ({like})"
    )
    keys = [key for (key,) in ledger.ask(client, query, before, *words) if key not in doubted]
    return Old(keys, old_lines(target, journal))


def old_lines(target: Target, journal: Journal) -> list[str]:
    """Of the journal alone."""
    before = retention.cutoff("retain_sent_days")
    return (
        [] if before is None or not target.personal else journal.older(moment(before), holds(target.personal))
    )


def holds(names: Iterable[str]) -> list[str]:
    """Patterns (SQL's like) for JSON text that has one of these names."""
    return [f'%"{name}":%' for name in names]


def _forget_tables(client: SqlClient, target: Target, keys: Sequence[str]) -> None:
    """In the tables that the vendor's answers filled, one text for another: they may be part of a key."""
    for table, columns in target.personal_tables.items():
        place = ".".join(client.escape_column_name(part) for part in placed(target, table).split("."))
        if not ledger.columns_of(client, place):
            continue
        random = "uuid()" if client.capabilities.sqlglot_dialect == MARIADB else "gen_random_uuid()"
        for start in range(0, len(keys), ledger.BATCH):
            part = keys[start : start + ledger.BATCH]
            marks = ", ".join(["%s"] * len(part))
            for column in columns:
                client.execute_sql(
                    f"update {place} set {column} = concat('removed ', {random}) "  # noqa: S608
                    f"where {column} not like %s and send_key in ({marks})",
                    "removed %",
                    *part,
                )
