"""`conversync reconcile`: what was sent beside what the vendor's own tables say arrived. Reads the warehouse only.

Keitaro's log proves each conversion: it is there under its subid and tid, with status, amount and currency. Infobip
shows no single log, only how many users passed a start tag on a UTC day: so many must have, at least, as we told it
of. What the tables cannot prove is said, and is no difference.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.load import PARTIAL, pipeline_for
from pipelines.report import console
from pipelines.send.records import moment
from pipelines.sentences import understood
from pipelines.warehouse import Warehouse
from sources.keitaro import statuses
from wire.errors import SettingsError

LEDGERS = {"keitaro": "keitaro_conversions", "infobip": "infobip_logs"}
SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """`what`: missing there, missing here, or what is apart; `sent` and `there` in words."""

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

    @property
    def exit_code(self) -> int:
        """0 without a difference."""
        return PARTIAL if self.differences else 0


@dataclass(frozen=True)
class _Sent:
    """A row of the ledger."""

    send_key: str
    status: str
    content: dict[str, Any]
    answer: dict[str, Any]
    day: str


Ask = Callable[[str], list[Any] | None]


def reconcile(warehouse: Warehouse, vendor: str) -> Comparison:
    """Compares; SettingsError for a vendor that shows nothing to compare with, and where nothing was sent or loaded."""
    ways = {"keitaro": _keitaro, "infobip": _infobip}
    if vendor not in ways:
        raise SettingsError(f'"{vendor}" cannot be compared; those that can are {", ".join(ways)}.')
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    with understood(), tempfile.TemporaryDirectory() as folder:
        destination = warehouse.dlt_destination(["sent"], read_only=True)
        with pipeline_for("sent", destination, Path(folder)).sql_client() as client:
            ask = _asker(client)
            found = ways[vendor](ask)
            found.notes[:0] = _unread(ask, vendor)
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


def _ledger(ask: Ask, table: str, target: str) -> list[_Sent]:
    rows = ask(f"select send_key, status, content, answer, sent_at from sent.{table}")  # noqa: S608 - our own
    if rows is None:
        raise SettingsError(f"Nothing was sent to {target} yet: there is no table sent.{table}.")
    return [_Sent(key, status, _json(c), _json(a), moment(at)[:10]) for key, status, c, a, at in rows]


def _keitaro(ask: Ask) -> Comparison:
    found = Comparison("keitaro")
    ledger = _ledger(ask, LEDGERS["keitaro"], "keitaro.conversions")
    told = f"coalesce({statuses.sql()}, status)"
    rows = ask(f"select sub_id, tid, {told}, revenue, currency from keitaro.conversions")  # noqa: S608 - our own words
    if rows is None:
        raise SettingsError(
            "The tracker's own conversions are not in the warehouse: run `conversync load keitaro` first."
        )
    there: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for sub_id, tid, *rest in rows:
        there[str(sub_id or ""), str(tid or "")].append(rest)
    for one in ledger:
        subid, tid = str(one.content.get("subid", "")), str(one.content.get("tid", ""))
        at_tracker = there.get((subid, tid), [])
        if one.status == "sent":
            found.sent += 1
            differences = list(_conversion(one, at_tracker, tid))
            found.differences += differences
            found.agree += not differences
        elif at_tracker:
            state = "rejected by it" if one.status == "rejected" else "in doubt"
            found.differences.append(
                Difference(one.send_key, "missing here", state, f"{at_tracker[0][0]}, subid {subid}")
            )
        elif one.status == "in_doubt":
            found.notes.append(f"{one.send_key} is in doubt, and is not there")
    ours = {(str(one.content.get("subid", "")), str(one.content.get("tid", ""))) for one in ledger}
    if others := sum(len(kept) for key, kept in there.items() if key not in ours):
        found.notes.append(f"{others:,} conversions of the tracker are not ours: others sent them")
    if any(currency is None for kept in there.values() for *_, currency in kept):
        found.notes.append("where the tracker tells no currency, none is compared")
    return found


def _conversion(one: _Sent, there: Sequence[Any], tid: str) -> Iterator[Difference]:
    """What is apart between a row as it was sent and the tracker's conversion."""
    if not there:
        yield Difference(one.send_key, "missing there", f"{one.content.get('status', 'sale')}, tid {tid}", "")
        return
    if len(there) > 1:
        yield Difference(one.send_key, "more than once", "1", str(len(there)))
    status, revenue, currency = there[0]
    wanted = str(one.content.get("status", "sale")).lower()
    if (statuses.kind_of(None, wanted) or wanted) != str(status).strip().lower():
        yield Difference(one.send_key, "status", wanted, str(status))
    sent_in = one.content.get("currency")
    if sent_in and currency and str(sent_in).upper() != str(currency).upper():
        yield Difference(one.send_key, "currency", str(sent_in), str(currency))
    payout = one.content.get("payout")
    if payout is not None and (revenue is None or Decimal(str(payout)) != Decimal(str(revenue))):
        yield Difference(
            one.send_key, "amount", str(payout), "" if revenue is None else f"{revenue.normalize():f}"
        )


def _infobip(ask: Ask) -> Comparison:
    found = Comparison("infobip")
    ledger = _ledger(ask, LEDGERS["infobip"], "infobip.logs")
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
    in_doubt = sum(one.status == "in_doubt" for one in ledger)
    if in_doubt:
        found.notes.append(f"{in_doubt:,} are in doubt; counts cannot tell whether they are there")
    passed = _passed(ledger)
    found.sent = sum(one.status == "sent" for one in ledger)
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


def _passed(ledger: Sequence[_Sent]) -> dict[tuple[str, str, str], set[str]]:
    """By process, tag and UTC day, the users whose log was taken."""
    passed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in ledger:
        if one.status == "sent":
            process, tag = (str(one.content.get(name, "")) for name in ("process_key", "process_tag_key"))
            passed[process, tag, one.day].add(str(one.answer.get("process_log_key") or one.send_key))
    return passed


def show(found: Comparison, log_format: str) -> None:
    """The comparison as a table, or as JSON."""
    with suppress(OSError, ValueError):
        if log_format == "json":
            differences = [vars(one) for one in found.differences]
            print(json.dumps({"event": "reconciliation", **vars(found), "differences": differences}))  # noqa: T201
            return
        out = console()
        out.print(
            f"{found.vendor}: {found.sent:,} sent, {found.agree:,} there as sent, "
            f"{len(found.differences):,} differences",
            markup=False,
        )
        for one in found.differences[:SHOWN]:
            out.print(
                f"  {one.send_key}: {one.what}: sent {one.sent}; there {one.there or 'nothing'}", markup=False
            )
        if len(found.differences) > SHOWN:
            out.print(f"  ... and {len(found.differences) - SHOWN:,} more", markup=False)
        for note in found.notes[:SHOWN]:
            out.print(f"  {note}.", markup=False)


def _json(value: Any) -> dict[str, Any]:
    return dict(json.loads(value, parse_float=Decimal) if isinstance(value, str) else value or {})
