"""The options of the commands: what each is called, takes and says of itself. The commands say what it is without."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class LogFormat(StrEnum):
    """How progress and the summary are written."""

    text = "text"
    json = "json"


Source = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help="Which sources; all that have their settings if none is named."),
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
Wait = Annotated[
    str, typer.Option(metavar="30m", help="How long to wait for another run or a reader to end.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]

# Of `conversync send`.
Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="Such as keitaro.conversions; of an account, keitaro:eu.conversions."
    ),
]
Outbox = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TABLE|VIEW|QUERY",
        help="What to send: it has a send_key and the target's columns. `besitos` is a ready-made query.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would go, and send nothing.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="At most so many rows now.")]
Rate = Annotated[
    str | None,
    typer.Option(metavar="5/s", help="At most so many requests a second, minute (m) or hour (h)."),
]
ResendInDoubt = Annotated[
    bool,
    typer.Option("--resend-in-doubt", help="Send again what the vendor may have; it may count it twice."),
]
RetryRejected = Annotated[bool, typer.Option("--retry-rejected", help="Send again what the vendor refused.")]
ResolveInDoubt = Annotated[
    bool,
    typer.Option(
        "--resolve-in-doubt", help="Ask the vendor first what became of them (infobip.messages only)."
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="New rows of earlier days do not go, now or later. [send_since]"),
]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Mark as sent, without sending: old rows of a first send, rows in doubt, changes that cannot go.",
    ),
]
AfterRestore = Annotated[
    bool,
    typer.Option("--after-restore", help="Send although journal and ledger are older than the last send."),
]
MaxRows = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Send nothing if more would go. [default: 10000]")
]
MaxChangePct = Annotated[
    float | None,
    typer.Option(
        metavar="PCT",
        min=0,
        help="Send nothing if more of the sent rows changed. [default: 50, beyond 100 rows]",
    ),
]

# Of `conversync load`.
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day, in the vendor's zone.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, in the vendor's zone.")]
Window = Annotated[str, typer.Option(metavar="31d", help="How many days are committed together.")]
AcceptEmpty = Annotated[
    bool,
    typer.Option(
        "--accept-empty",
        help="Believe a vendor that serves nothing, or hardly anything, of what it served before.",
    ),
]
SameAccount = Annotated[
    bool,
    typer.Option(
        "--same-account",
        help="Believe that an address, or an account's name, that changed is the same account's.",
    ),
]
NewAccount = Annotated[
    bool,
    typer.Option(
        "--new-account",
        help="Believe that an account without rows is no other one under a new name.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="2/8",
        help="Read this one of so many parts of the days from --from to --to, beside runs that read the others.",
    ),
]
PlanOnly = Annotated[
    bool, typer.Option("--dry-run", help="Print which windows would be read, and ask no vendor.")
]

# Of `conversync status`.
Tables = Annotated[bool, typer.Option("--tables", help="Every table, too.")]
Days = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Look at the N days up to yesterday. [default: first to last read]"
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit 3 if something is stale, incomplete, short, set aside or in doubt."),
]

# Of `conversync verify`.
VerifyFrom = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day. [default: six days before --to]")
]
VerifyTo = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day. [default: yesterday]")]
Repair = Annotated[
    bool, typer.Option("--repair", help="Mend what differs, all or nothing, and compare again.")
]

# Of `conversync alert`.
Test = Annotated[bool, typer.Option("--test", help="Send a made-up problem, to see that it arrives.")]
AlertOnly = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent.")]

# Of `conversync nightly`.
Build = Annotated[
    bool,
    typer.Option("--build/--no-build", help="Build the analysts' tables with dbt, if it is installed."),
]
Send = Annotated[bool, typer.Option("--send/--no-send", help="Send every outbox that config.toml names.")]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML report.")]
Alert = Annotated[bool, typer.Option("--alert/--no-alert", help="Tell what is wrong.")]

# Of `conversync init`.
Folder = Annotated[str, typer.Option(metavar="DIR", help="The project's folder.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A source to set up; again for more. [default: asks, or those set]"),
]
AtTime = Annotated[str, typer.Option("--at", metavar="06:15", help="When the night runs.")]
Systemd = Annotated[bool, typer.Option("--systemd", help="Write systemd/conversync.service and .timer, too.")]
Dbt = Annotated[bool, typer.Option("--dbt", help="Write profiles.yml for dbt by hand, too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: settings come from the environment.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")]
