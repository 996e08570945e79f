"""The outbox: any table, view or SELECT of the warehouse with a `send_key`, one row a thing to send.

A name without a dot that is one of the vendor's `outboxes` is that query: `--from besitos`, `--from besitos:eu`.
A column that dates the row (`occurred_on`, `occurred_at`, ...; see `DATES`) is never sent: it says how old a row is.
Whatever is wrong with the outbox as a whole is told before anything is sent: columns that the target does not
know or misses, a send_key that is null or stands twice, two rows that would be one thing at the vendor. Without its
key a row could never be known as sent, so one such row refuses the whole outbox.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from string import Template
from typing import Any, NamedTuple

from conversync.dlt_errors import sentence
from conversync.errors import LockedError, SettingsError
from conversync.http.strictjson import dumps
from conversync.send.options import NAME, QUERY, Options, own_sections, read
from conversync.send.records import plain
from conversync.send.target import Row, RowRefusedError, Target
from conversync.settings import accounts
from conversync.settings.registry import nearest, unknown
from conversync.types import Document, SqlClient
from conversync.vendors import dataset, known, parted, source_of
from conversync.warehouse import confined_sql, query_process
from conversync.warehouse.one_select import TABLES_ONLY

KEY = "send_key"
# The outbox of lines whose person was forgotten: no send does anything about them (see conversync/forget).
FORGOTTEN = "forgotten"
# The columns that may date a row; the first one does that a day can be read of.
DATES = ("occurred_on", "occurred_at", "date", "day", "date_time", "created_at")
_BATCH = 5_000
# For the ready-made queries: the table that knows the players (user_key, subid, tested_user_external_id), or
# `user_id` ...
PLAYER_IDS = "main.player_ids"
JOIN = " as player on wall.user_key = lower(player.user_key)"
PLAYERS = (
    " It needs a table of yours of who is who (user_key, subid, tested_user_external_id): main.player_ids, or the "
    'one that send_player_ids names; with send_player_ids = "user_id" the offerwall\'s own id is taken.'
)


class Entry(NamedTuple):
    """One row of the outbox, its key among its values; `content` is JSON without key and nulls, and `hash` tells it.

    `identity`: what the vendor knows it by, or None; `day`: when it happened, as an ISO date, or None; `undatable`:
    the column that should tell, with its value, where none of them can be read.
    """

    send_key: str
    row: Row
    content: str
    hash: str
    identity: str | None = None
    day: str | None = None
    undatable: str | None = None


def query_for(outbox: str | None, target: Target) -> str:
    """The SELECT that `--from`, or the setting, means; SettingsError where it means nothing."""
    vendor, _ = parted(source_of(target.name))
    queries = known()[vendor].outboxes
    if not outbox:
        ready = f", or one of {', '.join(queries)}" if queries else ""
        raise SettingsError(
            f"{target.name} has no outbox: name a table, view or query with --from{ready}; or write it into "
            f"[{'.'.join(own_sections(target.name)[0])}] query in .dlt/config.toml."
        )
    if parted(outbox)[0] in queries:
        return _ready_made(queries[parted(outbox)[0]].read_text(encoding="utf-8"), outbox, target)
    if QUERY.match(outbox):
        return outbox.strip().rstrip(";")
    if not NAME.fullmatch(outbox):
        raise SettingsError(f'"{outbox}" is neither a table (dataset.table) nor a query (select ...).')
    return "select * from " + ".".join(f'"{part}"' for part in outbox.split("."))  # noqa: S608 - what was asked for


def _ready_made(query: str, source: str, target: Target) -> str:
    """A query that comes with us, over the dataset of a source; SettingsError for an account that is none."""
    vendor, account = parted(source)
    if source not in (labels := [one.label for one in accounts.accounts_of(vendor)]):
        raise unknown("source", source, labels)
    if account and "$dataset" not in query:
        raise SettingsError(
            f"{target.name} has no outbox for {source}: what it has for {vendor} knows one account."
        )
    names = _mapping(target.name, vendor) | {"dataset": dataset(vendor, account)}
    return Template(query).substitute(names)


def other_accounts(outbox: str | None) -> Iterator[str]:
    """A sentence without its full stop where a ready-made outbox has no row of the vendor's other accounts."""
    vendor, _ = parted(outbox or "")
    sources = [one.label for one in accounts.accounts_of(vendor)] if vendor in known() else []
    others = [one for one in sources if one != outbox]
    if outbox in sources and others:
        yield f"No row of {', '.join(others)} is in this outbox: each account is one of its own (--from {others[-1]})"


def _mapping(target: str, outbox: str) -> dict[str, str]:
    """What the ready-made queries leave open: who a player is to the vendor, and how it calls the conversion."""
    table = read(target, "send_player_ids") or PLAYER_IDS
    conversion = read(target, "send_conversion_id") or outbox
    names = {"conversion_id": conversion.replace("'", "''")}
    if table == "user_id":
        return names | {"player_ids": "", "subid": "wall.user_id", "external_id": "wall.user_id"}
    join = f"inner join {table}{JOIN}"
    names |= {"subid": "player.subid", "external_id": "player.tested_user_external_id"}
    return names | {"player_ids": join}


@contextmanager
def entries(client: SqlClient, query: str, target: Target, options: Options) -> Iterator[Iterator[Entry]]:
    """The rows, in the query's order, read as they are taken; SettingsError for anything wrong with the outbox.

    `client` is an open sql_client of dlt's. A query is one SELECT, and is only ever read (see
    `conversync.warehouse.confined_sql`).
    """
    from conversync.dlt_internals import DatabaseException, DatabaseUndefinedRelation

    try:
        with confined_sql.asked(client, query, options.query_seconds) as cursor:
            names = [str(column[0]).lower() for column in cursor.description]
            _check_columns(names, target)
            yield _entries(cursor, names, target, options.max_outbox)
    except (
        DatabaseException,
        DatabaseUndefinedRelation,
        _errors(client),
        query_process.QueryError,
    ) as error:
        if isinstance(held := sentence(error), LockedError):
            raise held from error
        reason = str(error).strip().splitlines()[0].rstrip(".!")
        hint = PLAYERS if JOIN in query else TABLES_ONLY if confined_sql.REFUSED in reason else ""
        raise SettingsError(f"The outbox of {target.name} cannot be read: {reason}.{hint}") from error


def _errors(client: SqlClient) -> type[Exception]:
    """Those of DB-API 2.0, where dlt's client has the package of its destination at hand."""
    from conversync.dlt_internals import DatabaseException

    return getattr(client.dbapi, "Error", DatabaseException)


def _check_columns(names: Sequence[str], target: Target) -> None:
    takes = [KEY, *(column.name for column in target.columns)]
    required = [KEY, *(column.name for column in target.columns if column.required)]
    complaints = (
        ("columns that stand twice", sorted(Counter(names) - Counter(set(names)))),
        ("columns that it does not know", _unknown(names, {*takes, *DATES})),
        ("not the columns that it needs", [name for name in required if name not in names]),
    )
    wrong = [f"{what}: {', '.join(found)}" for what, found in complaints if found]
    if wrong:
        raise SettingsError(
            f"The outbox of {target.name} has {'; '.join(wrong)}. Nothing was sent. It takes {', '.join(takes)}."
        )


def _unknown(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Those that are none of the known ones, each with the one that may be meant."""
    strange = [name for name in names if name not in known]
    near = {name: nearest(name, sorted(known)) for name in strange}
    return [f"{name} (did you mean {near[name]}?)" if near[name] else name for name in strange]


def _entries(cursor: Any, names: Sequence[str], target: Target, most: int) -> Iterator[Entry]:
    """No more than `most`: each is remembered, and a join that lacks its condition has no end."""
    dates = [name for name in DATES if name in names]
    seen, identities = set[str](), dict[str, str]()
    while batch := cursor.fetchmany(_BATCH):
        if len(seen) + len(batch) > most:
            raise SettingsError(
                f"The outbox of {target.name} has more than {most:,} rows. Nothing was sent. See whether a join in it "
                "lacks its condition, or allow more with send_max_outbox."
            )
        for values in batch:
            entry = _entry(dict(zip(names, values, strict=True)), dates, target)
            if entry.send_key in seen:
                raise SettingsError(
                    f'The outbox of {target.name} has the {KEY} "{entry.send_key}" more than once. Nothing was sent.'
                )
            seen.add(entry.send_key)
            other = (
                identities.setdefault(entry.identity, entry.send_key) if entry.identity else entry.send_key
            )
            if other != entry.send_key:
                raise SettingsError(
                    f'The outbox of {target.name} has the rows "{other}" and "{entry.send_key}" for one and the same '
                    "thing there: one of them would be lost. Nothing was sent. Give each an identity of its own, or "
                    "make one row of them."
                )
            yield entry


def _entry(values: Document, dates: Sequence[str], target: Target) -> Entry:
    key = _key(values[KEY], target)
    row = {name: value for name, value in values.items() if name != KEY and name not in DATES}
    content = content_of(row)
    day, undatable = _dated({name: values[name] for name in dates})
    return Entry(
        key, {**row, KEY: key}, content, fingerprint(content), identity_of(row, target), day, undatable
    )


def _dated(dates: Mapping[str, object]) -> tuple[str | None, str | None]:
    """The day of a row, by the first of its dates that is one; where none is, what the first of them says instead."""
    told = {name: value for name, value in dates.items() if str(value or "").strip()}
    for value in told.values():
        if day := _day(value):
            return day, None
    return None, next((f"{name} is {str(value)!r:.40}" for name, value in told.items()), None)


def identity_of(row: Row, target: Target) -> str | None:
    """What the vendor knows the row by; None also for a row that can become no request."""
    try:
        return target.identity(row)
    except RowRefusedError:
        return None


def _day(value: object) -> str | None:
    """The ISO date of a date, a time (in UTC where it has a zone), or a text that begins with one; else None."""
    text = str(plain(value) or "")[:10]
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def undated(target: str, found: Sequence[Entry]) -> str:
    """Of new rows whose day cannot be read nobody knows whether they are old history."""
    return (
        f"The outbox of {target} has {len(found):,} new rows whose day cannot be read: of {found[0].send_key}, "
        f"{found[0].undatable}. They may be old history. Nothing was sent. Cast it to a date, write it as 2026-10-27, "
        "or leave the column out."
    )


def _key(value: object, target: Target) -> str:
    if value is None or value == "" or isinstance(value, float):
        what = f"of {value!r}" if isinstance(value, float) else "that is empty"
        raise SettingsError(
            f"The outbox of {target.name} has a row with a {KEY} {what}: it could not be told whether it was "
            "sent. Nothing was sent. Give every row a text or a whole number as its key."
        )
    return str(value)


def content_of(row: Row) -> str:
    """Canonical JSON without key and nulls: sorted, 1.50 the same as 1.5, so that only what differs is a change."""
    told = {name: value for name, value in sorted(row.items()) if value is not None and name != KEY}
    values = {name: _canonical(value) for name, value in told.items()}
    try:
        return dumps(values).decode()
    except (ValueError, TypeError, OverflowError):
        return dumps({name: str(value) for name, value in values.items()}).decode()


def fingerprint(content: str) -> str:
    """What a content is compared by."""
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _canonical(value: object) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return Decimal(f"{value.normalize():f}")
    return plain(value)
