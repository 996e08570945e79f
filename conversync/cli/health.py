"""Whether the warehouse can be relied on: status, verify, alert."""

from __future__ import annotations

from typing import Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin, choose, tell_tracebacks
from conversync.cli.terminal import emit, say


def status(
    source: options.Source = None,
    tables: Annotated[bool, typer.Option("--tables", help="Every table, too.")] = False,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Look at the N days up to yesterday. [default: first to last read]"
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit 3 if something is stale, incomplete, short, set aside or in doubt."
        ),
    ] = False,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
) -> None:
    """Show how fresh and complete every source is, what was set aside, and what of the sends is in doubt.

    Takes no lock and asks no vendor. While a run holds the warehouse, the published copy is read, and that is said.
    `--log-format json` prints a line for each table.

    Exit codes: 0 whatever it shows · 2 settings, no warehouse · 3 with `--strict` · 4 a run holds the warehouse, and
    there is no copy.

    Examples: `conversync status` · `conversync status besitos --days 90 --strict --json`
    """
    begin(project, debug=False)
    import tempfile
    from pathlib import Path

    import pendulum

    from conversync.monitor import shown
    from conversync.monitor.limits import limits
    from conversync.monitor.look import look
    from conversync.monitor.problems import STRICT, problems
    from conversync.vendors import vendors

    chosen, bounds = choose(source) if source else list(vendors().values()), limits()
    first = pendulum.now("UTC").date().subtract(days=days) if days else None
    with tempfile.TemporaryDirectory() as folder:
        health = look(at(warehouse, destination), chosen, Path(folder), first, bounds)
    if as_json:
        shown.show_json(health, bounds)
    elif log_format is options.LogFormat.json:
        shown.show_lines(health)
    else:
        shown.show(health, bounds, tables=tables)
    if strict and any(problem.kind in STRICT for problem in problems(health, bounds)):
        raise typer.Exit(3)


def verify(
    source: options.Source = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day. [default: six days before --to]")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day. [default: yesterday]")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what differs, all or nothing, and compare again.")
    ] = False,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
    debug: options.Debug = False,
) -> None:
    """Read some days again from the vendor, without loading them, and compare them with the warehouse.

    Compares rows, sums by currency, and what every row says. Changes nothing and takes no lock; what the vendor said
    anew since the last load is a difference, too. With `--repair`, statements that stand twice (on whatever day) are
    made one, days that are short or different are read again, and a missing view is made; what the vendor serves no
    more stays, and is told.

    Exit codes: 0 equal · 1 failed · 2 settings · 3 different · 4 a run holds the warehouse, and there is no copy
    · 5 credentials refused · 6 vendor unavailable, or its answer cannot be trusted.

    Examples: `conversync verify besitos --from 2024-12-01 --to 2024-12-07` · `conversync verify besitos --repair`
    """
    begin(project, debug)
    from conversync.cli import output
    from conversync.load import GRAVITY
    from conversync.monitor import compared
    from conversync.monitor import verify as compare
    from conversync.monitor.repair import repair as mend
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published, published_after

    seconds = lookup.duration(wait, "--wait")
    first, last = compare.days_asked(start, end)
    chosen, place = choose(source or []), at(warehouse, destination)
    with output.progress(log_format) as progress:
        if repair:
            check_published(place)
            found = mend(place, chosen, first, last, progress, seconds)
        else:
            found = compare.verify(place, chosen, first, last, progress)
    (compared.show_json if as_json or log_format is options.LogFormat.json else compared.show)(found)
    if any(one.mended for one in found):
        published_after(place, seconds)
    if debug:
        tell_tracebacks(one.error for one in found)
    raise typer.Exit(max((one.exit_code for one in found), key=GRAVITY.index))


def alert(
    test: Annotated[
        bool, typer.Option("--test", help="Send a made-up problem, to see that it arrives.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent.")] = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
) -> None:
    """Tell what is wrong with the warehouse to the program in `alert_command`, or the address in `alert_webhook`.

    A source that is stale, days that were never read or came short, a drop in volume, new fields, rows newly set aside,
    sends in doubt. Prints the JSON that it sends; with neither setting, it only prints. `conversync nightly` does this
    by itself, failures included.

    Exit codes: 0 delivered, or nothing to tell · 1 not delivered · 2 settings · 4 a run holds the warehouse, and there
    is no copy.

    Example: `conversync alert --test`
    """
    begin(project, debug=False)
    import tempfile
    from pathlib import Path

    from conversync.monitor import alert as alerting
    from conversync.monitor.limits import limits
    from conversync.monitor.look import look
    from conversync.monitor.problems import problems
    from conversync.vendors import vendors

    channels, place, bounds = alerting.channels(), at(warehouse, destination), limits()
    if test:
        found = [alerting.MADE_UP]
    else:
        with tempfile.TemporaryDirectory() as folder:
            health = look(place, list(vendors().values()), Path(folder), bounds=bounds)
        found = [one for one in problems(health, bounds) if one.kind in alerting.TOLD]
    if not found:
        say("Nothing to tell.")
        return
    document = alerting.document(place, found, test=test)
    emit(document, indent=2)
    failures = [] if dry_run else alerting.deliver(document, channels)
    for failure in failures:
        say(f"conversync: {failure}", error=True)
    if not channels:
        say(f"conversync: {alerting.NOWHERE}", error=True)
    raise typer.Exit(1 if failures else 0)
