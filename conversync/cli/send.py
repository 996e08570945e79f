"""`conversync send` and `conversync reconcile`: conversions go out, and what arrived is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin, tell_tracebacks
from conversync.errors import SettingsError

if TYPE_CHECKING:
    from conversync.send.options import Options
    from conversync.send.target import Target
    from conversync.warehouse.warehouse import Warehouse


def send(
    target: options.Target,
    outbox: options.Outbox = None,
    dry_run: options.DryRun = False,
    limit: options.Limit = None,
    rate: options.Rate = None,
    resend_in_doubt: options.ResendInDoubt = False,
    retry_rejected: options.RetryRejected = False,
    resolve_in_doubt: options.ResolveInDoubt = False,
    since: options.Since = None,
    adopt: options.Adopt = False,
    after_restore: options.AfterRestore = False,
    max_rows: options.MaxRows = None,
    max_change_pct: options.MaxChangePct = None,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
    debug: options.Debug = False,
) -> None:
    """Send rows of the warehouse to a vendor, each of them once.

    A row goes if its send_key was not sent before; content that changed goes where the vendor can take it. A row that
    the vendor would know as something else (another click or tid) is taken back first, and then goes anew. Every
    request is in the journal beside the warehouse before it goes out, and in `sent.<vendor>_<what>` afterwards. At a
    first send, rows more than a week old go only with --since or --adopt.

    Exit codes: 0 done · 1 failed · 2 settings, the outbox or the books: nothing was sent · 3 done, and something wants
    a look: rows newly rejected, rows in doubt, changes that cannot go, rows that left the outbox · 4 locked or away
    · 5 credentials refused · 6 vendor unavailable, or its answer cannot be trusted.

    Examples: `conversync send keitaro.conversions --from besitos --dry-run` ·
    `conversync send keitaro.conversions --from besitos --since 2024-12-01` ·
    `conversync send optibase.conversions --from main.to_optibase --rate 5/s` ·
    `conversync send keitaro:eu.conversions --from besitos:eu`
    """
    begin(project, debug)
    from conversync.send import options as of_sends
    from conversync.settings import lookup

    chosen = target_named(target)
    asked = of_sends.options(
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
        _try(place, chosen, asked, log_format)
        return
    raise typer.Exit(_send(place, chosen, asked, seconds, log_format, debug=debug))


def _try(place: Warehouse, target: Target, asked: Options, log_format: str) -> None:
    """Prints what would go; SettingsError where nothing would."""
    from conversync.send import run, shown

    plan = run.dry_run(place, target, asked)
    shown.show_plan(plan, log_format, dry=True)
    if plan.refusals:
        raise SettingsError(" ".join(plan.refusals))


def _send(
    place: Warehouse, target: Target, asked: Options, seconds: float, log_format: str, *, debug: bool
) -> int:
    """Sends, and prints plan, progress and summary; the exit code. A warehouse that is held is waited for."""
    from conversync.send import run, shown

    report = run.send(
        place,
        target,
        asked,
        lambda plan: shown.show_plan(plan, log_format),
        shown.progress(target.name, log_format),
        seconds,
    )
    shown.summary(report, str(place), log_format)
    if debug:
        tell_tracebacks([report.error])
    return report.exit_code


def reconcile(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="keitaro or infobip; or an account, keitaro:eu.")
    ],
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
) -> None:
    """Compare what was sent with what the vendor's own tables say arrived.

    Reads the warehouse only: run `conversync load` first. Exit codes: 0 no difference · 3 differences.

    Examples: `conversync load keitaro && conversync reconcile keitaro` · `conversync reconcile keitaro:eu`
    """
    begin(project, debug=False)
    from conversync.send import reconcile as compare

    found = compare.reconcile(at(warehouse, destination), source)
    compare.show(found, log_format)
    raise typer.Exit(found.exit_code)


def target_named(name: str) -> Target:
    """The target; SettingsError, with those there are, for any other name."""
    from conversync.settings import accounts
    from conversync.settings.registry import guess, unknown
    from conversync.vendors import parted, source_of

    there = accounts.targets()
    if name in there:
        return there[name]
    vendor, account = parted(source_of(name))
    if account and accounts.target_named(name):
        place = f"[{'.'.join(accounts.section(vendor, account))}]"
        raise SettingsError(
            f"{vendor} has no account {account}, so nothing was sent to {name}: {place} in .dlt/ would name it."
            f"{guess(name, [one for one in there if ':' in one])}"
        )
    raise unknown("target", name, list(there))
