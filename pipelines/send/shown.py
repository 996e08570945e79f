"""What a person or a log reads of a send: the plan before, a table after."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pipelines import logs
from pipelines.report import Lines, console, explain, rows
from pipelines.send import ledger
from pipelines.send.plan import NAMED, WARNINGS, Plan
from pipelines.send.run import SendReport

# Seconds between two words about how far it is.
EVERY = 10.0


def show_plan(plan: Plan, log_format: str, *, dry: bool = False) -> None:
    """What would go, or is about to; with a sample of the exact requests, secrets masked."""
    with suppress(OSError, ValueError):
        if log_format == "json":
            print(json.dumps({"event": "plan", "dry_run": dry, **plan.fields()}))  # noqa: T201 - for a log
            return
        out = console()
        for line in _plan_lines(plan, dry=dry):
            out.print(line, markup=False)


def _plan_lines(plan: Plan, *, dry: bool) -> Iterator[str]:
    kinds = ", ".join(f"{plan.pending[kind]:,} {kind}" for kind in ("new", "changed", "again"))
    yield f"{plan.target}: {rows(plan.outbox)} in the outbox; {'would send' if dry else 'to send'}: {kinds}"
    limited = sum(plan.pending.values()) - len(plan.rows)
    others = {
        "are left for later (--limit)": limited,
        "are already sent": plan.already,
        "stay rejected (--retry-rejected sends them again)": plan.rejected,
        "rejected here: no request can be made of such a row": plan.refused,
        "stay in doubt (--resend-in-doubt sends them again)": len(plan.in_doubt),
        "changed after they were sent, which the vendor cannot take; they are not sent": len(
            plan.unsupported
        ),
        "that were sent are not in the outbox any more": plan.gone,
    }
    yield from (f"  {rows(count)} {what}" for what, count in others.items() if count)
    for name, keys in (("in doubt", plan.in_doubt), ("changed", plan.unsupported)):
        if keys:
            more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
            yield f"  {name}: {', '.join(keys[:NAMED])}{more}"
    yield from (f"  {note}." for note in plan.notes)
    yield from (
        f"  LOOK: {warning}" + (f" ({rows(count)})" if count > 1 else "")
        for warning, count in plan.warnings.most_common(WARNINGS)
    )
    yield from (f"  {request}" for request in plan.sample)


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
    with suppress(OSError, ValueError):
        if log_format == "json":
            print(json.dumps({"event": "summary", "warehouse": warehouse, **fields(report)}))  # noqa: T201
        else:
            _table(report, warehouse)


def fields(report: SendReport) -> dict[str, Any]:
    """Plain values, for JSON."""
    plan, sent = report.plan, report.sent
    return {
        "target": report.target,
        "exit_code": report.exit_code,
        "error": explain(report.error) if report.error else None,
        "sent": sent.sent,
        "requests": sent.requests,
        "already_sent": plan.already,
        "rejected_new": len(sent.rejected),
        "rejected_known": plan.rejected,
        "in_doubt_new": len(sent.in_doubt),
        "in_doubt_known": len(plan.in_doubt),
        "unsupported_change": len(plan.unsupported),
        "notes": plan.notes,
        "seconds": round(report.seconds, 2),
    }


def _table(report: SendReport, warehouse: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    out, plan, sent = console(), report.plan, report.sent
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("target")
    figures = {
        "sent": sent.sent,
        "already sent": plan.already,
        "rejected": len(sent.rejected) + plan.rejected,
        "in doubt": len(sent.in_doubt) + len(plan.in_doubt),
        "unsupported": len(plan.unsupported),
        "requests": sent.requests,
    }
    for name in (*figures, "seconds"):
        table.add_column(name, justify="right")
    cells = [f"{figure:,}" for figure in figures.values()]
    table.add_row(report.target, *cells, f"{report.seconds:.1f}", style="red" if report.error else None)
    out.print(table)
    for line in _sentences(report):
        out.print(line, markup=False)
    out.print(f"Warehouse: {warehouse}", markup=False)
    if report.error:
        print(f"conversync: {report.target}: {explain(report.error)}", file=sys.stderr)  # noqa: T201 - its end


def _sentences(report: SendReport) -> Iterator[str]:
    table = f"{ledger.DATASET}.{report.target.replace('.', '_')}"
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


def _named(reasons: Mapping[str, str]) -> Iterator[str]:
    yield from (f"  {key}: {reason}" for key, reason in list(reasons.items())[:NAMED])
    if len(reasons) > NAMED:
        yield f"  ... and {len(reasons) - NAMED:,} more"
