"""Taking a load back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin
from conversync.cli.terminal import emit, say
from conversync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversync.undo.take_back import Undoing
    from conversync.vendors import Vendor
    from conversync.warehouse.warehouse import Warehouse

LoadId = Annotated[
    str | None,
    typer.Argument(metavar="LOAD_ID", help="Any commit of the load, as _dlt_load_id names it."),
]
OfVendor = Annotated[
    list[str] | None,
    typer.Option("--vendor", metavar="VENDOR", help="Only this source's. [default: all that were loaded]"),
]


def undo(
    load_id: LoadId = None,
    last: Annotated[bool, typer.Option("--last", help="The last load.")] = False,
    vendor: OfVendor = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go and come back, and write nothing.")
    ] = False,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="What is to be kept of why.")] = None,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
) -> None:
    """Take a load back: the tables, and where the next load goes on, are as if it had never been.

    A load is what one run committed of one source. Only its last one can be taken back, then the one before: a week of
    nights. Refused, with the list, where something of it was sent or stands in a closed period. Models are as they
    were: run `conversync build` after it.

    Exit codes: 0 done · 1 refused · 2 settings, or no such load · 4 locked or away.

    Examples: `conversync undo --last --vendor besitos --dry-run` · `conversync undo 1732752000.1234567 --why "a test"`
    """
    begin(project, debug=False)
    from conversync.settings import accounts, lookup

    if (load_id is None) != last:
        raise SettingsError("Say one of a load's id and --last.")
    chosen, place = accounts.chosen(vendor or ()), at(warehouse, destination)
    if dry_run:
        _would_undo(place, chosen, load_id, as_json=as_json)
    else:
        _undo(place, chosen, load_id, why, lookup.duration(wait, "--wait"), as_json=as_json)


def _would_undo(place: Warehouse, chosen: Sequence[Vendor], load_id: str | None, *, as_json: bool) -> None:
    from conversync.undo.take_back import would_undo

    found = would_undo(place, chosen, load_id)
    _tell(found, is_done=False, as_json=as_json)
    raise typer.Exit(1 if found.against else 0)


def _undo(
    place: Warehouse,
    chosen: Sequence[Vendor],
    load_id: str | None,
    why: str | None,
    seconds: float,
    *,
    as_json: bool,
) -> None:
    from conversync.undo import take_back
    from conversync.warehouse.publish import check_published, published_after

    check_published(place)
    _tell(take_back.undo(place, chosen, load_id, why=why, wait=seconds), is_done=True, as_json=as_json)
    published_after(place, seconds)


def _tell(found: Undoing, *, is_done: bool, as_json: bool) -> None:
    from conversync.undo import shown, take_back

    if as_json:
        emit({**take_back.fields_of(found), "is_done": is_done}, indent=2)
        return
    for text in shown.told(found, is_done=is_done):
        say(text)
