"""Whether the warehouse can be relied on: status, verify, alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from conversync.cli import options
from conversync.cli.common import at, begin, choose, gravest, tell_tracebacks
from conversync.cli.terminal import emit, say

if TYPE_CHECKING:
    from datetime import date

    from conversync.monitor.limits import Limits
    from conversync.monitor.overview import Health
    from conversync.monitor.verify import Verified
    from conversync.vendors import Vendor
    from conversync.warehouse.warehouse import Warehouse


def status(
    source: options.Source = None,
    tables: options.Tables = False,
    days: options.Days = None,
    strict: options.Strict = False,
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
    from conversync.monitor import shown
    from conversync.monitor.limits import limits
    from conversync.monitor.problems import STRICT, problems

    bounds = limits()
    health = _look(source, at(warehouse, destination), bounds, days)
    if as_json:
        shown.show_json(health, bounds)
    elif log_format is options.LogFormat.json:
        shown.show_lines(health)
    else:
        shown.show(health, bounds, tables=tables)
    if strict and any(problem.kind in STRICT for problem in problems(health, bounds)):
        raise typer.Exit(3)


def _look(names: list[str] | None, place: Warehouse, bounds: Limits, days: int | None = None) -> Health:
    """How these sources are, or all of them; since so many days, or ever."""
    import tempfile
    from pathlib import Path

    import pendulum

    from conversync.monitor.overview import look
    from conversync.settings.accounts import sources

    chosen = choose(names) if names else list(sources().values())
    first = pendulum.now("UTC").date().subtract(days=days) if days else None
    with tempfile.TemporaryDirectory() as folder:
        return look(place, chosen, Path(folder), first, bounds, unnamed=not names)


def verify(
    source: options.Source = None,
    start: options.VerifyFrom = None,
    end: options.VerifyTo = None,
    repair: options.Repair = False,
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
    from conversync.monitor import compared
    from conversync.monitor import verify as verifying
    from conversync.settings import lookup
    from conversync.warehouse.publish import published_after

    seconds, days = lookup.duration(wait, "--wait"), verifying.days_asked(start, end)
    chosen, place = choose(source or []), at(warehouse, destination)
    found = _verify(place, chosen, days, log_format, seconds if repair else None)
    (compared.show_json if as_json or log_format is options.LogFormat.json else compared.show)(found)
    if any(one.mended for one in found):
        published_after(place, seconds)
    if debug:
        tell_tracebacks(one.error for one in found)
    raise typer.Exit(gravest(one.exit_code for one in found))


def _verify(
    place: Warehouse,
    chosen: list[Vendor],
    days: tuple[date, date],
    log_format: str,
    mend_within: float | None,
) -> list[Verified]:
    """What comparing comes to, after what differs was mended where it is to be."""
    from conversync.cli import output
    from conversync.monitor.repair import repair
    from conversync.monitor.verify import verify
    from conversync.warehouse.publish import check_published

    with output.progress(log_format) as progress:
        if mend_within is None:
            return verify(place, chosen, *days, progress)
        check_published(place)
        return repair(place, chosen, *days, progress, mend_within)


def alert(
    test: options.Test = False,
    dry_run: options.AlertOnly = False,
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
    from conversync.monitor import alert as alerting
    from conversync.monitor.limits import limits
    from conversync.monitor.problems import problems

    channels, place, bounds = alerting.channels(), at(warehouse, destination), limits()
    if test:
        found = [alerting.MADE_UP]
    else:
        health = _look(None, place, bounds)
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
