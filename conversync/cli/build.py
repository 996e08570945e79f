"""What is made of a loaded warehouse: marts, and the published copy."""

from __future__ import annotations

from typing import Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin
from conversync.cli.terminal import say

Output = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Where the page goes. [default: report.html beside the published copy]"
    ),
]
ReportedPeriod = Annotated[
    str | None,
    typer.Option(metavar="PERIOD", help="A closed month instead, such as 2026-10, as it was reported."),
]


def publish(
    compact: Annotated[
        bool, typer.Option("--compact", help="Write every table anew, without what deleted rows still take.")
    ] = False,
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
) -> None:
    """Copy the warehouse to where analysts read it: `published/warehouse.duckdb`, or `published` in config.toml.

    `conversync load` does this by itself. Readers of the copy never hold up a load, nor a load them.

    Example: `conversync publish --compact`
    """
    begin(project, debug=False)
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published, publish

    place = at(warehouse, "duckdb")
    check_published(place)
    path = publish(place, compact=compact, wait=lookup.duration(wait, "--wait"))
    say(f"Published: {path}" if path else 'Nothing is published: `published` is "off".')


def build(
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build everything anew, also what nothing changed of.")
    ] = False,
    select: Annotated[
        str | None, typer.Option(metavar="MODELS", help="Only these, in dbt's words, such as conversions+.")
    ] = None,
    run_tests: Annotated[bool, typer.Option("--tests/--no-tests", help="Test what the models hold.")] = True,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
    debug: options.Debug = False,
) -> None:
    """Build the analysts' tables (schemas staging, intermediate, marts) with dbt, and test them.

    Needs `pip install "conversync[dbt]"`, on PostgreSQL `"conversync[dbt-postgres]"`. In a DuckDB file it makes and
    tests what would come to something else than in the last build, leaves the rest, and publishes the file.

    Exit codes: 0 done · 1 a model or a test failed · 2 settings · 4 locked or away.

    Examples: `conversync build --select conversions+` · `conversync build --destination postgres`
    """
    begin(project, debug)
    from conversync.build import build as run
    from conversync.cli.output import built, published
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published, published_after

    place, seconds = at(warehouse, destination), lookup.duration(wait, "--wait")
    check_published(place)
    report = run(place, full_refresh=full_refresh, select=select, run_tests=run_tests, wait=seconds)
    built(report)
    published(published_after(place, seconds))
    raise typer.Exit(report.exit_code)


def report(
    output: Output = None,
    period: ReportedPeriod = None,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
    debug: options.Debug = False,
) -> None:
    """Write the last ninety days as one HTML page: revenue, reversals, offers, SMS, reconciliation, what was read.

    It fetches nothing and works offline. Needs `pip install "conversync[report]"`, and a `conversync build` before;
    with `--period` a `conversync close` before: that page is the same byte for byte whenever it is made.

    Exit codes: 0 done · 1 failed · 2 settings, or nothing built yet · 4 somebody writes to the warehouse.

    Examples: `conversync report --output report.html` · `conversync report --period 2026-10`
    """
    begin(project, debug)
    from pathlib import Path

    from conversync.books.lines import period_of
    from conversync.report import write_report
    from conversync.report.period import write_period
    from conversync.warehouse.publish import refuse_folder, refuse_ours, report_path

    place = at(warehouse, destination)
    named = report_path(place)
    if period:
        named = named.with_name(f"{named.stem}-{period_of(period).name}{named.suffix}")
    where = Path(output).absolute() if output else named
    refuse_ours(place, where, "report")
    if not output:
        refuse_folder(where)
    if period:
        size = write_period(place, where, period_of(period))
        say(f"Report: {where} ({size / 1000:,.0f} kB, {period} as reported)")
        return
    done = write_report(place, where)
    say(f"Report: {done.path} ({done.size / 1000:,.0f} kB, {done.first_day} to {done.last_day})")
