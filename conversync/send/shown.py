"""What a person or a log reads of a send: the plan before, a table after."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from conversync.cli import logs, screen, terminal
from conversync.cli.output import Lines, explain, figures
from conversync.count_words import rows
from conversync.send import ledger
from conversync.send.old_rows import FRESH
from conversync.send.outbox import DATES
from conversync.send.plan import NAMED, WARNINGS, Plan
from conversync.send.run import SendReport
from conversync.types import Document

# Seconds between two words about how far it is.
EVERY = 10.0


def show_plan(plan: Plan, log_format: str, *, dry: bool = False) -> None:
    """What would go, or is about to. A dry run, which a person asks for, shows a sample of the exact requests."""
    if log_format == "json":
        sample = plan.sample if dry else []
        terminal.emit({"event": "plan", "dry_run": dry, **plan.fields(), "sample": sample})
        return
    with suppress(OSError, ValueError):
        out = screen.console()
        for line in _plan_lines(plan, dry=dry):
            out.say(line)


def _plan_lines(plan: Plan, *, dry: bool) -> Iterator[str]:
    yield _goes(plan, dry=dry)
    yield from (f"  {line}." for line in _days(plan))
    yield from (f"  {rows(count)} {what}" for what, count in _others(plan, dry=dry).items() if count)
    yield from (f"  {key}: {reason}" for key, reason in _refusals(plan))
    yield from (f"  {note}." for note in plan.notes)
    yield from (f"  LOOK: {look}" for look in _looks(plan, dry=dry))
    yield from (f"  {request}" for request in (plan.sample if dry else ()))


def _goes(plan: Plan, *, dry: bool) -> str:
    """How many rows there are, and how many go."""
    kinds = [f"{plan.pending[kind]:,} {kind}" for kind in ("new", "changed", "again")]
    kinds += [f"{plan.pending['withdrawn']:,} taken back"] * bool(plan.pending["withdrawn"])
    verb = ("would send" if dry else "to send") + (", once that is settled" if plan.refusals else "")
    return f"{plan.target}: {rows(plan.outbox)} in the outbox; {verb}: {', '.join(kinds)}"


def _others(plan: Plan, *, dry: bool) -> dict[str, int]:
    """The rows that do not simply go, by what becomes of them."""
    would = "would be " if dry else ""
    asks = plan.history.counts.get("asks", 0) if plan.history else 0
    is_first = plan.history is not None and plan.history.is_first
    old = f"more than {FRESH} days old" if is_first else "older than all that was sent"
    return {
        "left for later (--limit)": sum(plan.pending.values()) - len(plan.rows),
        "already sent": plan.already,
        "changed what the vendor knows it by: what was sent is taken back first": plan.moved,
        "rejected before (--retry-rejected sends them again)": plan.rejected,
        "rejected here: no request can be made of such a row": plan.refused,
        f"{would}marked as sent, without a request (--adopt)": plan.adopted,
        "left out (--since)": plan.left_out,
        f"{old}, and waiting for a word (--since, --adopt)": asks,
        "gone from the outbox after the send": plan.gone,
        "sent from another outbox": plan.elsewhere,
    }


def _looks(plan: Plan, *, dry: bool) -> Iterator[str]:
    """What wants a look; what the summary of a send will say is said of a dry run alone."""
    if dry:
        yield from (f"{look}." for look in plan.looks())
    for warning, count in plan.warnings.most_common(WARNINGS):
        yield warning + (f" ({rows(count)})" if count > 1 else "")


def _days(plan: Plan) -> Iterator[str]:
    """How old the new rows are."""
    history = plan.history
    if history is None:
        return
    if history.oldest:
        undated = f"; {rows(history.undated)} without a day" if history.undated else ""
        yield f"the new rows are of {history.oldest} to {history.newest}{undated}"
    elif history.undated and history.is_first:
        yield (
            "nothing was ever sent to it, and how old these rows are is not known: the outbox has no column that "
            f"dates them ({', '.join(DATES[:3])})"
        )


def _refusals(plan: Plan) -> list[tuple[str, str]]:
    """The first rows that can become no request, and why."""
    found = ((one.entry.send_key, one.refusal) for one in plan.rows if one.refusal)
    return [(key, str(refusal)) for key, refusal in islice(found, NAMED)]


def progress(target: str, log_format: str) -> Callable[[int], None]:
    """Says on standard error, now and then, how many rows are through."""
    logs.speak(log_format)
    lines, last = Lines(sys.stderr, log_format), time.monotonic()

    def tell(through: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            text = f"{target}: {rows(through)} through"
            lines.say(text, event="progress", target=target, through=through)

    return tell


def summary(report: SendReport, warehouse: str, log_format: str) -> None:
    """The table at the end, on standard output, and a sentence for everything that wants one."""
    if log_format == "json":
        terminal.emit({"event": "summary", "warehouse": warehouse, **fields(report)})
        return
    with suppress(OSError, ValueError):
        _table(report, warehouse)


def fields(report: SendReport) -> Document:
    """Plain values, for JSON."""
    plan, sent = report.plan, report.sent
    return {
        "target": report.target,
        "exit_code": report.exit_code,
        "error": explain(report.error) if report.error else None,
        "sent": sent.sent,
        "requests": sent.requests,
        "already_sent": plan.already,
        "rejected_new": len(sent.rejected.keys() | report.resolved.keys()),
        "rejected_known": plan.rejected,
        "in_doubt_new": len(sent.in_doubt),
        "in_doubt_known": len(plan.in_doubt),
        "taken_back": sent.withdrawn,
        "unsupported_change": len(plan.unsupported),
        "adopted": plan.adopted,
        "left_out": plan.left_out,
        "left_and_counting": len(plan.left),
        "looks": plan.looks(),
        "notes": [*plan.notes, *report.said],
        "seconds": round(report.seconds, 2),
    }


def _table(report: SendReport, warehouse: str) -> None:
    out, plan, sent = screen.console(), report.plan, report.sent
    counts = {
        "sent": sent.sent,
        "already sent": plan.already,
        "rejected": len(sent.rejected) + plan.rejected,
        "in doubt": len(sent.in_doubt) + len(plan.in_doubt),
        "taken back": sent.withdrawn,
        "cannot go": len(plan.unsupported),
        "requests": sent.requests,
    }
    # A send that failed at once has its sentence, and no table of zeros.
    if sent.requests or report.error is None:
        figured = report.target, counts.values(), report.seconds, report.error
        out.print(figures(out, ("target", *counts), [figured]))
    for line in _sentences(report):
        out.say(line)
    out.say(f"Warehouse: {warehouse}")
    if report.error:
        terminal.say(f"conversync: {report.target}: {explain(report.error)}", error=True)


def _sentences(report: SendReport) -> Iterator[str]:
    table = f"{ledger.DATASET}.{ledger.table_of(report.target)}"
    sent = report.sent
    query = f"select send_key, reason from {table} where status ="  # noqa: S608 - a suggestion to a person
    if sent.rejected:
        yield f"{report.target}: {rows(len(sent.rejected))} newly rejected. See: {query} 'rejected'"
        yield from _named(sent.rejected)
    if sent.in_doubt:
        yield (
            f"{report.target}: {rows(len(sent.in_doubt))} newly in doubt: the vendor may have them or not. "
            f"See: {query} 'in_doubt'"
        )
        yield from _named(sent.in_doubt)
    yield from (f"{report.target}: {look}." for look in report.plan.looks())
    yield from (f"{said}." for said in report.said)


def _named(reasons: Mapping[str, str]) -> Iterator[str]:
    yield from (f"  {key}: {reason}" for key, reason in list(reasons.items())[:NAMED])
    if len(reasons) > NAMED:
        yield f"  ... and {len(reasons) - NAMED:,} more"
