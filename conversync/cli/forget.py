"""`conversync forget`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin
from conversync.cli.terminal import emit, say
from conversync.count_words import counted

if TYPE_CHECKING:
    from conversync.forget.run import Receipt

Person = Annotated[
    str,
    typer.Argument(
        metavar="USER_ID", help="The person's id; - reads it, and others of the same person, as lines."
    ),
]


def forget(
    person: Person = "-",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be cleared, and change nothing.")
    ] = False,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
    debug: options.Debug = False,
) -> None:
    """Forget one person: every trace of the id goes, every sum stays, and no later reading brings it back.

    Without USER_ID, or with -, it is read from the terminal unseen, or from standard input: so it stands in no shell's
    history. Clears tables, rows set aside, ledgers, journal, models and the published copy, and writes the files anew.
    Needs `privacy_key`.

    Exit codes: 0 done · 1 failed, or something sent of the person is in doubt · 2 settings · 4 locked or away.

    Examples: `conversync forget -` · `conversync forget - --dry-run --json`
    """
    begin(project, debug)
    from conversync.forget.run import forget as run
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published

    place = at(warehouse, destination)
    check_published(place)
    seconds = lookup.duration(wait, "--wait")
    receipt = run(place, _read() if person == "-" else [person], seconds, dry_run=dry_run)
    if as_json:
        emit(receipt.document())
    else:
        _show(receipt)


def _read() -> list[str]:
    """The ids, a line each; from a terminal one, which is not shown."""
    if sys.stdin.isatty():
        from getpass import getpass

        return [getpass("The person's id (it is not shown): ")]
    return sys.stdin.read().splitlines()


def _show(receipt: Receipt) -> None:
    verb = "would be cleared" if receipt.dry_run else "cleared"
    for one in receipt.found:
        say(f"{one.place}: {counted(one.rows, 'row')} {verb}")
    if not receipt.found:
        say("Nothing was found of this person in tables and journal.")
    if receipt.rewritten:
        say(f"Written anew: {', '.join(receipt.rewritten)}")
    for note in receipt.notes:
        say(f"{note[0].upper()}{note[1:]}.")
