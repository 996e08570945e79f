"""The night as one command, and a project to run it in."""

from __future__ import annotations

import typer

from conversync.cli import options
from conversync.cli.common import at, begin, choose, tell_new_folder
from conversync.cli.terminal import say


def nightly(
    source: options.Source = None,
    build: options.Build = True,
    send: options.Send = True,
    html: options.Report = True,
    alert: options.Alert = True,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
    log_format: options.Format = options.LogFormat.text,
    debug: options.Debug = False,
) -> None:
    """Load what is due, build, send what is configured, publish, report, and tell what is wrong: for cron.

    A step that fails stops only what rests on it. A send waits for the next night if a source that it reads, or the
    build, failed: better late than wrong. An alert that cannot be delivered is said, and costs no exit code.

    Exit codes, the gravest of all steps: 0 done · 1 failed · 2 settings · 3 done, rows newly set aside, rejected or in
    doubt, days short, a clock that is wrong · 4 locked or away · 5 credentials refused · 6 vendor unavailable, or its
    answer cannot be trusted.

    Examples: `conversync nightly --wait 30m` · `conversync nightly --no-send --log-format json`
    """
    begin(project, debug)
    from conversync.cli import night_summary, output
    from conversync.nightly import Wanted
    from conversync.nightly import nightly as run
    from conversync.settings import lookup

    wanted = Wanted(build, send, html, alert, lookup.duration(wait, "--wait"))
    chosen, place = choose(source or []), at(warehouse, destination)
    tell_new_folder(place)
    with output.progress(log_format) as progress:
        night = run(place, chosen, wanted, output.Noted(progress), log_format)
    (night_summary.show_json if log_format is options.LogFormat.json else night_summary.show)(night)
    raise typer.Exit(night.exit_code)


def init(
    folder: options.Folder = ".",
    source: options.Sources = None,
    at_time: options.AtTime = "06:15",
    systemd: options.Systemd = False,
    dbt: options.Dbt = False,
    yes: options.Yes = False,
    force: options.Force = False,
) -> None:
    """Write a project: .dlt/secrets.toml, which only you can read, .dlt/config.toml, and a line for cron.

    What the environment holds (BESITOS_TOKEN=..., SEND_RATE=... and so on) goes where it belongs, but for sources that
    are not set up. On a terminal it asks for what else a source needs, secrets hidden; with `--yes`, or without a
    terminal, it leaves places for that. Where settings files are there already, it adds what is new to them, and
    changes nothing else; no other file is overwritten without `--force`. A secret is never an argument, and never
    printed; git is told to ignore the file.

    Exit codes: 0 done · 1 a file cannot be written · 2 a file is there already, or no such source.

    Examples: `conversync init` · `BESITOS_TOKEN=... conversync init --folder night --source besitos --yes --systemd`
    """
    begin(folder, debug=False, files_are_read=False)
    import sys
    from pathlib import Path

    from conversync.settings import init as making
    from conversync.settings.questions import Questions

    wanted = making.Wanted(Path(folder).absolute(), at_time, systemd, dbt, force)
    interactive = not yes and sys.stdin.isatty()
    plan = making.plan(wanted, source or [], Questions() if interactive else None)
    for line in making.write(plan):
        say(line)
