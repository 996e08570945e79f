"""`conversync reconcile`: what was sent beside what the vendor's own tables say arrived. Reads the warehouse only.

Keitaro's log proves each conversion: it is there under its subid and tid, with status, amount and currency; and of what
a row was sent as before, that it counts no more. The tracker queues what it is told, so the youngest are too early to
tell. Infobip shows no single log, only how many users passed a start tag on a UTC day: so many must have, at least, as
we told it of. What the tables cannot prove is said, and is no difference.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from conversync.cli.terminal import say
from conversync.dlt_errors import translate_errors
from conversync.errors import SettingsError
from conversync.load import PARTIAL, pipeline_for
from conversync.send import ledger
from conversync.send.identities import Identities, Standing
from conversync.send.records import Record, moment
from conversync.send.target import RowRefusedError
from conversync.settings.registry import guess
from conversync.warehouse import confined
from conversync.warehouse.warehouse import Warehouse
from sources.keitaro import statuses
from sources.keitaro.target import Conversions

LEDGERS = {"keitaro": "keitaro_conversions", "infobip": "infobip_logs"}
SHOWN = 20
# So long may a posting wait in the tracker's queue: 11 to 36 seconds were measured, a minute was told.
QUEUED = timedelta(minutes=5)


@dataclass(frozen=True)
class Difference:
    """`what`: missing there, missing here, still counts, refused since, or what is apart; the others in words."""

    send_key: str
    what: str
    sent: str
    there: str


@dataclass
class Comparison:
    """What was compared: `sent` rows, of which `agree`; `notes` are sentences without their full stop."""

    vendor: str
    sent: int = 0
    agree: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    too_early: int = 0
    """Rows that were sent too shortly before the vendor was read."""
    unread: bool = False
    """Whether the vendor was not read since the last send."""

    @property
    def exit_code(self) -> int:
        """0 without a difference, if the vendor was read since."""
        return PARTIAL if self.differences or self.unread else 0


Ask = Callable[[str], list[Any] | None]


def reconcile(warehouse: Warehouse, vendor: str) -> Comparison:
    """Compares; SettingsError for a vendor that shows nothing to compare with, and where nothing was sent or loaded."""
    ways = {"keitaro": _keitaro, "infobip": _infobip}
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
            found = ways[vendor](ask, client)
            unread = list(_unread(ask, vendor))
            found.notes[:0] = unread
            found.unread = bool(unread)
            return found


def _asker(client: Any) -> Ask:
    from dlt.destinations.exceptions import DatabaseUndefinedRelation

    def ask(query: str) -> list[Any] | None:
        """The rows; None where a table does not exist."""
        try:
            return list(client.execute_sql(query) or [])
        except DatabaseUndefinedRelation:
            return None

    return ask


def _unread(ask: Ask, vendor: str) -> Iterator[str]:
    """Says so where the vendor was not read since something was sent."""
    loads = ask(f"select max(inserted_at) from {vendor}._dlt_loads where status = 0")  # noqa: S608 - our own names
    sent = ask(f"select max(sent_at) from sent.{LEDGERS[vendor]} where status = 'sent'")  # noqa: S608
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


@dataclass(frozen=True)
class _Claim:
    """What we say of one conversion of the tracker: a row, and what it was last sent as under that identity."""

    record: Record
    standing: Standing
    is_last: bool


def _keitaro(ask: Ask, client: Any) -> Comparison:
    found, target = Comparison("keitaro"), Conversions()
    sent = _ledger(client, LEDGERS["keitaro"], target.name)
    told = f"coalesce({statuses.sql()}, status)"
    rows = ask(f"select sub_id, tid, {told}, revenue, currency from keitaro.conversions")  # noqa: S608 - our own words
    if rows is None:
        raise SettingsError(
            "The tracker's own conversions are not in the warehouse: run `conversync load keitaro` first."
        )
    there: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for sub_id, tid, *rest in rows:
        there[str(sub_id or ""), str(tid or "")].append(rest)
    claims, certain = _claims(sent, target), _certain(ask)
    found.sent = sum(one.status == "sent" for one in sent)
    apart = set[str]()
    for identity, claim in claims.items():
        kept, key = there.get(_pair(identity), []), claim.record.send_key
        if claim.record.status == "in_doubt" and claim.is_last and not kept:
            found.notes.append(f"{key} is in doubt, and is not there")
        differences = list(_differences(claim, kept, _pair(identity)))
        if differences:
            apart.add(key)
        if differences and claim.standing.at > certain:
            found.too_early += 1
        else:
            found.differences += differences
    for one in sent:
        found.differences += _refused(one, there, claims, target)
        found.agree += one.status == "sent" and one.send_key not in apart
    found.notes += _notes(found, there, claims)
    return found


def _claims(sent: Sequence[Record], target: Conversions) -> dict[str, _Claim]:
    """By identity, every one that was ever sent: of two rows that had it, the one that had it last."""
    claims: dict[str, _Claim] = {}
    for record in sent:
        identities = Identities.of(record, target)
        for standing in identities:
            claim = _Claim(record, standing, standing.identity == identities.last)
            before = claims.get(standing.identity)
            if before is None or _is_later(claim, before):
                claims[standing.identity] = claim
    return claims


def _is_later(claim: _Claim, before: _Claim) -> bool:
    """Of two rows that had one identity: who stands on it, before who took it back for another outbox; else by time."""
    if claim.record.outbox != before.record.outbox:
        holds, held = (one.is_last and one.standing.state == "stands" for one in (claim, before))
        if holds != held:
            return holds
    return before.standing.at <= claim.standing.at


def _pair(identity: str) -> tuple[str, str]:
    subid, tid = json.loads(identity)
    return str(subid), str(tid or "")


def _certain(ask: Ask) -> str:
    """What was sent later than this may still be in the tracker's queue, or was not read; "~" if nobody knows."""
    loads = ask("select max(inserted_at) from keitaro._dlt_loads where status = 0")
    at = loads[0][0] if loads else None
    return "~" if at is None else moment((at if at.tzinfo else at.replace(tzinfo=UTC)) - QUEUED)


def _differences(claim: _Claim, kept: Sequence[Any], pair: tuple[str, str]) -> Iterator[Difference]:
    """What is apart between what we say of a conversion and what the tracker has."""
    record, standing = claim.record, claim.standing
    key, is_there = record.send_key, _told(kept)
    if record.status == "in_doubt" and claim.is_last:
        if kept:
            yield Difference(key, "missing here", "in doubt", f"{kept[0][0]}, subid {pair[0]}")
    elif not claim.is_last:
        if any(_kind(str(status).lower()) != "rejected" for status, *_ in kept):
            yield Difference(key, "still counts", f"taken back: subid {pair[0]}, tid {pair[1]}", is_there)
    elif record.status == "rejected":
        if kept:
            yield Difference(key, "refused since", record.reason or "refused", is_there)
    else:
        yield from _conversion(key, standing, kept, pair[1])


def _conversion(key: str, sent: Standing, there: Sequence[Any], tid: str) -> Iterator[Difference]:
    """What is apart between a conversion as it was sent and the tracker's."""
    wanted = str(sent.content.get("status", "sale")).lower()
    if not there:
        yield Difference(key, "missing there", f"{wanted}, tid {tid}", "")
        return
    if len(there) > 1:
        yield Difference(key, "more than once", "1", str(len(there)))
    status, revenue, currency = there[0]
    if _kind(wanted) != _kind(str(status).lower()):
        yield Difference(key, "status", wanted, str(status))
    sent_in = sent.content.get("currency")
    if sent_in and currency and str(sent_in).upper() != str(currency).upper():
        yield Difference(key, "currency", str(sent_in), str(currency))
    payout = sent.content.get("payout")
    if payout is not None and (revenue is None or Decimal(str(payout)) != Decimal(str(revenue))):
        yield Difference(key, "amount", str(payout), "" if revenue is None else f"{revenue.normalize():f}")


def _refused(
    one: Record,
    there: Mapping[tuple[str, str], Sequence[Any]],
    claims: Mapping[str, _Claim],
    target: Conversions,
) -> Iterator[Difference]:
    """A row that was refused, never sent, and is there all the same."""
    if one.status != "rejected":
        return
    try:
        identity = target.identity(json.loads(one.content, parse_float=Decimal))
    except RowRefusedError:
        return
    if identity is not None and identity not in claims and (kept := there.get(_pair(identity))):
        yield Difference(one.send_key, "missing here", "rejected by it", _told(kept))


def _notes(
    found: Comparison, there: Mapping[tuple[str, str], Sequence[Any]], claims: Mapping[str, _Claim]
) -> Iterator[str]:
    if found.too_early:
        minutes = int(QUEUED.total_seconds() // 60)
        yield (
            f"{found.too_early:,} went out less than {minutes} minutes before the tracker was read, or later; it "
            "queues what it is told, so it is too early to tell: load and compare again"
        )
    ours = {_pair(identity) for identity in claims}
    if others := sum(len(kept) for key, kept in there.items() if key not in ours):
        yield f"{others:,} conversions of the tracker are not ours: others sent them"
    if any(currency is None for kept in there.values() for *_, currency in kept):
        yield "where the tracker tells no currency, none is compared"


def _told(kept: Sequence[Any]) -> str:
    """Status and amount of what the tracker has."""
    if not kept:
        return ""
    status, revenue, _ = kept[0]
    return str(status) if revenue is None else f"{status} {revenue.normalize():f}"


def _kind(status: str) -> str:
    return statuses.kind_of(None, status) or status


def _infobip(ask: Ask, client: Any) -> Comparison:
    found = Comparison("infobip")
    sent = _ledger(client, LEDGERS["infobip"], "infobip.logs")
    rates = ask(
        "select process_key, start_tag, answered_start_tag, cast(day as varchar), max(start_count) "
        "from infobip.conversion_rates group by 1, 2, 3, 4"
    )
    if rates is None:
        raise SettingsError(
            "Infobip's own counts are not in the warehouse: run `conversync load infobip` first."
        )
    starts: dict[tuple[str, str, str], int] = {}
    for process, tag, answered, day, count in rates:
        for name in {tag, answered} - {None, ""}:
            starts[process, name, day] = max(int(count), starts.get((process, name, day), 0))
    in_doubt = sum(one.status == "in_doubt" for one in sent)
    if in_doubt:
        found.notes.append(f"{in_doubt:,} are in doubt; counts cannot tell whether they are there")
    passed = _passed(sent)
    found.sent = sum(one.status == "sent" for one in sent)
    unproven = 0
    for (process, tag, day), users in sorted(passed.items()):
        count = starts.get((process, tag, day))
        if count is None:
            unproven += len(users)
        elif count < len(users):
            found.differences.append(
                Difference(
                    f"{process} {tag} {day}", "missing there", f"{len(users):,} users", f"{count:,} users"
                )
            )
        else:
            found.agree += len(users)
    if unproven:
        found.notes.append(
            f"{unproven:,} users cannot be proven: the tables count only who passed a start tag of infobip_pairs"
        )
    return found


def _passed(sent: Sequence[Record]) -> dict[tuple[str, str, str], set[str]]:
    """By process, tag and UTC day, the users whose log was taken."""
    passed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in sent:
        if one.status == "sent":
            content, answer = json.loads(one.content), json.loads(one.answer)
            process, tag = (str(content.get(name, "")) for name in ("process_key", "process_tag_key"))
            passed[process, tag, one.sent_at[:10]].add(str(answer.get("process_log_key") or one.send_key))
    return passed


def show(found: Comparison, log_format: str) -> None:
    """The comparison as a table, or as JSON."""
    with suppress(OSError, ValueError):
        if log_format == "json":
            differences = [vars(one) for one in found.differences]
            print(json.dumps({"event": "reconciliation", **vars(found), "differences": differences}))  # noqa: T201
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
