"""Conversync for Dagster: an asset a source with a partition a day, its check, and the night as a job. Copy it.

Dagster and Conversync need not share an environment: the command is run, found on the PATH or named by
CONVERSYNC_COMMAND, in the folder CONVERSYNC_PROJECT (the working directory), whose `.dlt/` holds the settings. What may
write is its own business: out of one project folder one load at a time writes, and the others wait (`--wait`).

    dagster dev -f pipelines/dagster_conversync.py
"""

import json
import os
import subprocess
from datetime import timedelta

import dagster as dg

COMMAND = os.environ.get("CONVERSYNC_COMMAND", "conversync")
PROJECT = os.environ.get("CONVERSYNC_PROJECT", ".")
SOURCES = os.environ.get("CONVERSYNC_SOURCES", "besitos,infobip,conductrics,keitaro").split(",")
DAYS = dg.DailyPartitionsDefinition(os.environ.get("CONVERSYNC_FIRST_DAY", "2024-01-01"), end_offset=1)
# Done, and done but something wants a look (see the README's exit codes).
DONE, LOOK = 0, 3
# A warehouse that is locked or away, or a vendor that is unavailable: the same a while later may end well.
PASSING = (4, 6)


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """The command, as it ended."""
    command = [COMMAND, *argv, "--project", PROJECT]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours


def conversync(context: dg.OpExecutionContext | dg.AssetExecutionContext, *argv: str) -> int:
    """Runs the command, its lines in Dagster's log; its exit code where it did its work, else Failure."""
    done = run(*argv)
    for line in (done.stdout + done.stderr).splitlines():
        context.log.info(line)
    if done.returncode not in (DONE, LOOK):
        told = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise dg.Failure(
            f"conversync {argv[0]} ended with {done.returncode}: {told[-1]}",
            allow_retries=done.returncode in PASSING,
        )
    return done.returncode


def is_whole(source: str) -> dg.AssetCheckResult:
    """What `status --strict` says of a source: nothing stale, unread, short, set aside or in doubt."""
    done = run("status", source, "--json", "--strict")
    known = json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else {"told": done.stderr}
    return dg.AssetCheckResult(
        passed=done.returncode == DONE,
        check_name="whole",
        asset_key=source,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"status": dg.MetadataValue.json(known)},
    )


def loaded(source: str) -> dg.AssetsDefinition:
    """The tables of one source. A range of days is one run of one command, which commits it month by month."""

    @dg.asset(
        name=source,
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=600),
        check_specs=[dg.AssetCheckSpec("whole", asset=source)],
        kinds={"dlt", "duckdb"},
    )
    def load(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        first, end = context.partition_time_window
        days = ["--from", str(first.date()), "--to", str((end - timedelta(days=1)).date())]
        code = conversync(context, "load", source, *days, "--wait", "30m")
        return dg.MaterializeResult(metadata={"wants a look": code == LOOK}, check_results=[is_whole(source)])

    return load


@dg.op
def night(context: dg.OpExecutionContext) -> None:
    """All that is due: load, models, sends, copy, report, alert."""
    conversync(context, "nightly", "--wait", "30m")


@dg.job
def nightly() -> None:
    """`conversync nightly`."""
    night()


defs = dg.Definitions(
    assets=[loaded(source) for source in SOURCES],
    jobs=[nightly],
    schedules=[dg.ScheduleDefinition(job=nightly, cron_schedule="15 6 * * *")],
)
