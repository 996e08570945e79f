"""The command `conversync`. dlt, pyarrow and duckdb are imported where they are needed: help is quick."""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipelines import process
from wire.errors import ConversyncError, SettingsError

if TYPE_CHECKING:
    from pipelines import vendors, warehouse

app = typer.Typer(
    name="conversync",
    help="Reads conversion data from marketing vendors into DuckDB, or any other dlt destination, exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class LogFormat(StrEnum):
    """How progress and the summary are written."""

    text = "text"
    json = "json"


Source = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...", help="Which sources; all that have their settings if none is named."
    ),
]
WarehousePath = Annotated[
    str | None,
    typer.Option(
        "--warehouse",
        metavar="PATH",
        help="The DuckDB file. [default: $CONVERSYNC_WAREHOUSE, or warehouse.duckdb]",
    ),
]
Destination = Annotated[
    str, typer.Option(metavar="NAME", help="A dlt destination, with its credentials in .dlt/.")
]
Project = Annotated[
    str | None, typer.Option(metavar="DIR", help="The folder whose .dlt/ holds the settings. [default: .]")
]
Format = Annotated[LogFormat, typer.Option("--log-format", help="Lines to read, or JSON objects.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what dlt and the client do.")]


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Options of every command."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"conversync {installed('conversync')}")
        raise typer.Exit


@app.command()
def load(
    source: Source = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, in the vendor's zone.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day, in the vendor's zone.")
    ] = None,
    window: Annotated[str, typer.Option(metavar="31d", help="How many days are committed together.")] = "31d",
    destination: Destination = "duckdb",
    warehouse: WarehousePath = None,
    wait: Annotated[
        str, typer.Option(metavar="30m", help="How long to wait for another run or a reader to end.")
    ] = "0s",
    accept_empty: Annotated[
        bool,
        typer.Option("--accept-empty", help="Believe a list that is empty where there were rows before."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print which windows would be read, and ask no vendor.")
    ] = False,
    project: Project = None,
    log_format: Format = LogFormat.text,
    debug: Debug = False,
) -> None:
    """Read what is due, or the given days, into the warehouse.

    Without dates, every source reads from its cursor on, with a lookback for what changes late; the first run
    reads half a year, or from `besitos_start_date`. Reading a day again is free: nothing is doubled.

    Exit codes: 0 done · 1 failed · 2 settings · 3 done, rows newly set aside · 4 locked · 5 credentials
    refused · 6 vendor unavailable, or its answer cannot be trusted.

    Examples: `conversync load` · `conversync load besitos --from 2024-12-01 --to 2024-12-20`
    """
    begin(project, debug)
    from pipelines import report, settings
    from pipelines.load import GRAVITY, load
    from pipelines.vendors import Asked

    asked = Asked(start, end, settings.days(window, "--window"), accept_empty)
    seconds = settings.duration(wait, "--wait")
    chosen, place = choose(source or []), at(warehouse, destination)
    if dry_run:
        show_plan(chosen, asked, place)
        return
    with report.progress(log_format) as progress:
        reports = load(place, chosen, asked, progress, seconds)
    report.summary(reports, str(place), log_format)
    if debug:
        for failed in (r.error for r in reports if r.error):
            logging.getLogger("conversync").error("traceback", exc_info=failed)
    raise typer.Exit(max((r.exit_code for r in reports), key=GRAVITY.index))


@app.command()
def check(source: Source = None, project: Project = None, debug: Debug = False) -> None:
    """Look whether every vendor is reachable, lets us in, and whether clock and zone are plausible.

    Prints every setting with where it comes from, secrets masked. Loads nothing.

    Example: `conversync check besitos`
    """
    begin(project, debug)
    from pipelines import check as look
    from pipelines import report, settings
    from pipelines.load import GRAVITY

    chosen = choose(source or [])
    for vendor in chosen:
        report.show_settings(vendor.name, look.origins(settings.resolve(vendor.settings, vendor.name)))
    codes = [0]
    for dataset, finding, code in look.check(chosen):
        typer.echo(f"{'ok  ' if finding.good else 'LOOK'} {dataset}: {finding.text}")
        codes.append(code)
    raise typer.Exit(max(codes, key=GRAVITY.index))


@app.command()
def status(
    source: Source = None,
    destination: Destination = "duckdb",
    warehouse: WarehousePath = None,
    project: Project = None,
    log_format: Format = LogFormat.text,
) -> None:
    """Show what the warehouse holds: per table its rows, its newest day, and through which day it is read.

    Takes no lock and asks no vendor.

    Example: `conversync status`
    """
    begin(project, debug=False)
    import tempfile
    from pathlib import Path

    from pipelines import report
    from pipelines import status as look
    from pipelines.vendors import vendors

    known = vendors()
    chosen = choose(source) if source else list(known.values())
    with tempfile.TemporaryDirectory() as folder:
        report.show_status(look.status(at(warehouse, destination), chosen, Path(folder)), log_format)


@app.command()
def demo(
    folder: Annotated[str, typer.Option(metavar="DIR", help="Where the demo's warehouse goes.")] = "demo",
) -> None:
    """Start the sandbox, load a backfill and three nights from it, and show what an analyst sees.

    Example: `conversync demo`
    """
    begin(None, debug=False)
    from pathlib import Path

    from pipelines.demo import demo as show

    raise typer.Exit(show(Path(folder)))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(metavar="N", help="The port on loopback; 0 takes any free one.")] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed tells another story.")] = 7,
    days: Annotated[int, typer.Option(metavar="N", help="How many days of conversions, up to today.")] = 90,
    variant: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="One of the vendor's open questions.")
    ] = None,
) -> None:
    """Serve the vendors on loopback until interrupted, and print the settings to use.

    Example: `conversync sandbox --port 8080 --variant order=newest`
    """
    from sandbox import serve

    try:
        serve(port, seed=seed, days=days, variants=variant or ())
    except (ValueError, OSError) as error:
        raise SettingsError(f"The sandbox cannot start: {error}.") from None


def begin(project: str | None, debug: bool) -> None:
    """What every command does first: finds the settings, and settles dlt before it is imported."""
    if project:
        os.environ["DLT_PROJECT_DIR"] = project
    from pipelines import settings
    from pipelines.warehouse import settle_dlt

    settle_dlt("INFO" if debug else "CRITICAL")
    if debug:
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("conversync").setLevel(logging.DEBUG)
    if warning := settings.open_secrets():
        typer.echo(f"conversync: {warning}", err=True)


def choose(names: list[str]) -> list[vendors.Vendor]:
    """The vendors of these names, or all that are configured; SettingsError where that is none."""
    from pipelines import settings
    from pipelines.vendors import vendors

    known = vendors()
    for name in names:
        if name not in known:
            raise SettingsError(f'There is no source "{name}"; the sources are {", ".join(known)}.')
    chosen = [known[name] for name in dict.fromkeys(names)]
    chosen = chosen or [
        vendor for vendor in known.values() if settings.is_configured(vendor.settings, vendor.name)
    ]
    if not chosen:
        raise SettingsError(
            "No source has its settings. For Besitos, "
            f"{settings.where('besitos_token')}; .dlt/example.secrets.toml has them all."
        )
    return chosen


def at(path: str | None, destination: str) -> warehouse.Warehouse:
    """The warehouse that the options name."""
    from pipelines import settings
    from pipelines.warehouse import Warehouse

    return Warehouse(settings.warehouse_path(path), destination)


def show_plan(chosen: list[vendors.Vendor], asked: vendors.Asked, place: warehouse.Warehouse) -> None:
    """Prints the windows that would be read."""
    import tempfile
    from pathlib import Path

    from pipelines.load import planned

    with tempfile.TemporaryDirectory() as folder:
        for vendor in chosen:
            for step in planned(place, vendor, asked, Path(folder)):
                typer.echo(f"would read {vendor.name} {step.label}")


def main() -> NoReturn:
    """Runs the command and ends with its exit code: a sentence for every known cause, never a traceback."""
    process.guard_streams()
    signals = process.Signals()
    code = 1
    try:
        app()
    except ConversyncError as error:
        _say(f"conversync: {error}")
        code = error.exit_code
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception:
        if signals.received is None:
            raise
    if signals.received is not None:
        name = signals.received.name
        _say(f"conversync: stopped by {name}; what was committed is safe, and the next run goes on there.")
    process.leave(signals.exit_code or code)


def _say(text: str) -> None:
    import contextlib

    with contextlib.suppress(OSError, ValueError):
        typer.echo(text, err=True)


if __name__ == "__main__":
    main()
