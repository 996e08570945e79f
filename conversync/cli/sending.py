"""`conversync send` and `conversync reconcile`: conversions go out, and what arrived is compared."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from conversync.cli.common import (
    Debug,
    Destination,
    Format,
    LogFormat,
    Project,
    Wait,
    WarehousePath,
    at,
    begin,
)
from conversync.errors import SettingsError

if TYPE_CHECKING:
    from conversync.send.target import Target


def send(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Such as keitaro.conversions.")],
    outbox: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TABLE|VIEW|QUERY",
            help="What to send: it has a send_key and the target's columns. `besitos` is a ready-made query.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go, and send nothing.")
    ] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most so many rows now.")] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="5/s", help="At most so many requests a second, minute (m) or hour (h)."),
    ] = None,
    resend_in_doubt: Annotated[
        bool,
        typer.Option("--resend-in-doubt", help="Send again what the vendor may have; it may count it twice."),
    ] = False,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Send again what the vendor refused.")
    ] = False,
    resolve_in_doubt: Annotated[
        bool,
        typer.Option(
            "--resolve-in-doubt", help="Ask the vendor first what became of them (infobip.messages only)."
        ),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="New rows of earlier days do not go, now or later. [send_since]"),
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Mark as sent, without sending: old rows of a first send, rows in doubt, changes that cannot go.",
        ),
    ] = False,
    after_restore: Annotated[
        bool,
        typer.Option(
            "--after-restore", help="Send although journal and ledger are older than the last send."
        ),
    ] = False,
    max_rows: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Send nothing if more would go. [default: 10000]")
    ] = None,
    max_change_pct: Annotated[
        float | None,
        typer.Option(
            metavar="PCT",
            min=0,
            help="Send nothing if more of the sent rows changed. [default: 50, beyond 100 rows]",
        ),
    ] = None,
    destination: Destination = "duckdb",
    warehouse: WarehousePath = None,
    wait: Wait = "0s",
    project: Project = None,
    log_format: Format = LogFormat.text,
    debug: Debug = False,
) -> None:
    """Send rows of the warehouse to a vendor, each of them once.

    A row goes if its send_key was not sent before; content that changed goes where the vendor can take it. A row that
    the vendor would know as something else (another click or tid) is taken back first, and then goes anew. Every
    request is in the journal beside the warehouse before it goes out, and in `sent.<vendor>_<what>` afterwards. At a
    first send, rows more than a week old go only with --since or --adopt.

    Exit codes: 0 done · 1 failed · 2 settings, the outbox or the books: nothing was sent · 3 done, and something wants
    a look: rows newly rejected, rows in doubt, changes that cannot go, rows that left the outbox · 4 locked
    · 5 credentials refused · 6 vendor unavailable, or its answer cannot be trusted.

    Examples: `conversync send keitaro.conversions --from besitos --dry-run` ·
    `conversync send keitaro.conversions --from besitos --since 2024-12-01` ·
    `conversync send optibase.conversions --from main.to_optibase --rate 5/s`
    """
    begin(project, debug)
    from conversync.send import run, shown
    from conversync.send.options import options
    from conversync.settings import lookup

    chosen = target_named(target)
    asked = options(
        chosen.name,
        outbox=outbox,
        limit=limit,
        rate=rate,
        max_rows=max_rows,
        max_change_pct=max_change_pct,
        since=since,
        resend_in_doubt=resend_in_doubt,
        retry_rejected=retry_rejected,
        resolve_in_doubt=resolve_in_doubt,
        adopt=adopt,
        after_restore=after_restore,
    )
    seconds, place = lookup.duration(wait, "--wait"), at(warehouse, destination)
    if dry_run:
        plan = run.dry_run(place, chosen, asked)
        shown.show_plan(plan, log_format, dry=True)
        if plan.refusals:
            raise SettingsError(" ".join(plan.refusals))
        return
    report = run.send(
        place,
        chosen,
        asked,
        lambda plan: shown.show_plan(plan, log_format),
        shown.progress(chosen.name, log_format),
        seconds,
    )
    shown.summary(report, str(place), log_format)
    if debug and report.error:
        logging.getLogger("conversync").error("traceback", exc_info=report.error)
    raise typer.Exit(report.exit_code)


def reconcile(
    vendor: Annotated[str, typer.Argument(metavar="VENDOR", help="keitaro or infobip.")],
    destination: Destination = "duckdb",
    warehouse: WarehousePath = None,
    project: Project = None,
    log_format: Format = LogFormat.text,
) -> None:
    """Compare what was sent with what the vendor's own tables say arrived.

    Reads the warehouse only: run `conversync load` first. Exit codes: 0 no difference · 3 differences.

    Example: `conversync load keitaro && conversync reconcile keitaro`
    """
    begin(project, debug=False)
    from conversync.send import reconcile as compare

    found = compare.reconcile(at(warehouse, destination), vendor)
    compare.show(found, log_format)
    raise typer.Exit(found.exit_code)


def target_named(name: str) -> Target:
    """The target; SettingsError, with those there are, for any other name."""
    from conversync.settings.registry import unknown
    from conversync.vendors import targets

    known = targets()
    if name not in known:
        raise unknown("target", name, list(known))
    return known[name]
