"""The sandbox, and the demo made of it."""

from __future__ import annotations

from typing import Annotated

import typer

from conversync.cli import options
from conversync.cli.common import begin
from conversync.errors import SettingsError


def demo(
    folder: Annotated[str, typer.Option(metavar="DIR", help="Where the demo's warehouse goes.")] = "demo",
    destination: options.Destination = "duckdb",
) -> None:
    """Start the sandbox, load a backfill and three nights from it, and show what an analyst sees.

    With `--destination postgres` into a database in which nothing of ours stands yet.

    Examples: `conversync demo` · `conversync demo --destination postgres`
    """
    begin(None, debug=False)
    from pathlib import Path

    from conversync.demo import demo as show

    raise typer.Exit(show(Path(folder), destination))


def sandbox(
    port: Annotated[int, typer.Option(metavar="N", help="The port on loopback; 0 takes any free one.")] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed tells another story.")] = 7,
    days: Annotated[int, typer.Option(metavar="N", help="How many days of conversions, up to today.")] = 90,
    clock: Annotated[
        str | None,
        typer.Option(metavar="ISO", help="Where the clock stands, and with it the story's last day."),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A vendor's open question; `python -m conversync.sandbox --help` lists them.",
        ),
    ] = None,
) -> None:
    """Serve the vendors on loopback until interrupted, and print the settings to use.

    Example: `conversync sandbox --port 8080 --variant order=newest`
    """
    from conversync.sandbox import serve

    try:
        serve(port, seed=seed, days=days, clock=clock, variants=variant or ())
    except (ValueError, OSError) as error:
        raise SettingsError(f"The sandbox cannot start: {error}.") from None
