"""Reading the vendors: load, check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from conversync.cli import options
from conversync.cli.common import at, begin, choose, gravest, tell_new_folder, tell_tracebacks
from conversync.cli.terminal import say
from conversync.errors import ConversyncError, LockedError

if TYPE_CHECKING:
    from conversync import vendors
    from conversync.extract.check_results import CheckResult
    from conversync.warehouse import warehouse


def load(
    source: options.Source = None,
    start: options.From = None,
    end: options.To = None,
    window: options.Window = "31d",
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    accept_empty: options.AcceptEmpty = False,
    same_account: options.SameAccount = False,
    new_account: options.NewAccount = False,
    shard: options.Shard = None,
    dry_run: options.PlanOnly = False,
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
    debug: options.Debug = False,
) -> None:
    """Read what is due, or the given days, into the warehouse.

    Without dates, every source reads from its cursor on, with a lookback for what changes late; the first run
    reads half a year, or from `besitos_start_date`. Reading a day again is free: nothing is doubled. With `--shard`,
    many runs read one range into one PostgreSQL at once, and the cursor moves when all parts are there.

    Exit codes: 0 done · 1 failed · 2 settings · 3 done, and something wants a look: rows newly set aside, days short, a
    clock that is wrong · 4 locked or away · 5 credentials refused · 6 vendor unavailable, or its answer not trusted.

    Examples: `conversync load` · `conversync load besitos --from 2024-12-01 --to 2024-12-20`
    """
    begin(project, debug)
    from conversync.settings import lookup
    from conversync.turns import parsed
    from conversync.vendors import LoadRequest

    lookup.span(start, end, "--from", "--to")
    believed, days = (accept_empty, same_account, new_account), lookup.days(window, "--window")
    asked, seconds = LoadRequest(start, end, days, *believed, parsed(shard)), lookup.duration(wait, "--wait")
    chosen, place = choose(source or []), at(warehouse, destination)
    if not dry_run:
        raise typer.Exit(_load(place, chosen, asked, seconds, log_format, debug=debug))
    show_plan(chosen, asked, place)


def _load(
    place: warehouse.Warehouse,
    chosen: list[vendors.Vendor],
    asked: vendors.LoadRequest,
    seconds: float,
    log_format: str,
    *,
    debug: bool,
) -> int:
    """Loads, publishes, and prints progress and summary; the exit code."""
    from conversync.cli import output
    from conversync.load import load
    from conversync.warehouse import duckdb_limits, retention
    from conversync.warehouse.publish import check_published, published_after

    check_published(place)  # a setting that cannot be meant is told before any request
    retention.check()
    duckdb_limits.limits()
    tell_new_folder(place)
    with output.progress(log_format) as progress:
        noted = output.Noted(progress, begins_anew=asked.begins_anew)
        reports = load(place, chosen, asked, noted, seconds)
    output.summary(reports, str(place), log_format)
    codes = [one.exit_code for one in reports]
    # What else a load does wants the place alone: the first load that is no shard does it.
    if asked.shard is None:
        codes.append(_forget(place, seconds, log_format))
        if any(one.steps for one in reports):
            output.published(published_after(place, seconds), log_format)
    if debug:
        tell_tracebacks(one.error for one in reports)
    return gravest(codes)


def _forget(place: warehouse.Warehouse, wait: float, log_format: str) -> int:
    """What was sent long ago; the exit code. Where somebody holds the books by now, the next run does it."""
    from conversync.cli import output
    from conversync.send.run import forget_old

    try:
        output.forgot(forget_old(place, wait), log_format)
    except LockedError:
        return 0
    except ConversyncError as error:
        say(f"conversync: {error}", error=True)
        return error.exit_code
    return 0


def check(
    source: options.Source = None,
    destination: options.Destination = "duckdb",
    project: options.Project = None,
    debug: options.Debug = False,
) -> None:
    """Look whether the destination and every vendor are reachable and let us in, and clock and zone are plausible.

    Prints every setting with where it comes from, secrets masked; and of the settings files and of what is kept here
    the mode, the owner, and what others on this machine could do with it. With `--destination`, whether several
    machines may write there. Loads nothing.

    Exit codes: 0 all is well · 2 settings, or the destination does not let us in · 3 something wants a look · 4 the
    destination cannot be reached · 5 credentials refused · 6 vendor unavailable, or its answer cannot be trusted.

    Example: `conversync check besitos`
    """
    foreign = begin(project, debug)
    from conversync.monitor import check as look

    chosen, place = choose(source or []), at(None, destination)
    if told := look.writers(place, chosen[0].dataset):
        say(f"note {destination}: {told}")
    for path, mode, told in look.places(place):
        say(f"open {path}: {mode}: {told}" if told else f"here {path}: {mode}")
    codes = [0]
    if (there := look.session(place)) is not None:
        codes.append(_found(str(place), *there))
    for vendor in chosen:
        _show_settings(vendor, place, is_there=not any(codes))
    if foreign:
        say(f"note {', '.join(foreign)}: read by nobody here.")
    codes += [_found(*found) for found in look.check(chosen)]
    raise typer.Exit(gravest(codes))


def _found(where: str, finding: CheckResult, code: int) -> int:
    """Prints it, and gives the exit code back that it is worth."""
    say(f"{'ok  ' if finding.good else 'LOOK'} {where}: {finding.text}")
    return code


def _show_settings(vendor: vendors.Vendor, place: warehouse.Warehouse, *, is_there: bool) -> None:
    """Each with where it comes from, those that stand in two places, and what "auto" comes to, by what is there."""
    from conversync.cli import output
    from conversync.monitor import check as look

    if found := list(look.origins(vendor)):
        output.show_settings(vendor.label, found)
    for told in look.overruled_in(vendor):
        say(f"note {vendor.label}: {told}")
    for told in look.lookbacks(place, vendor) if is_there else ():
        say(f"here {vendor.label}: {told}")


def show_plan(chosen: list[vendors.Vendor], asked: vendors.LoadRequest, place: warehouse.Warehouse) -> None:
    """Prints the windows that would be read."""
    import tempfile
    from pathlib import Path

    from conversync.load import planned
    from conversync.turns import no_days

    with tempfile.TemporaryDirectory() as folder:
        for vendor in chosen:
            steps = planned(place, vendor, asked, Path(folder))
            for step in steps:
                say(f"would read {vendor.label} {step.label}")
            if asked.shard and not steps:
                say(f"{vendor.label}: {no_days(asked)}.")
