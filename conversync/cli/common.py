"""What every command does first, and the words for what several of them are told."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conversync.cli import logs
from conversync.cli.terminal import say
from conversync.errors import SettingsError

if TYPE_CHECKING:
    from conversync import vendors
    from conversync.warehouse import warehouse


def begin(project: str | None, debug: bool, *, files_are_read: bool = True) -> Sequence[str]:
    """What every command does first: settles dlt, and reads the settings; SettingsError where they cannot be meant.

    Out come the names that merely begin like settings of ours: they are not read. `files_are_read`: not by a command
    that is about to write them.
    """
    folder = os.environ.get("DLT_PROJECT_DIR") or None if project is None else project
    if folder is not None:
        _check_project(folder, must_exist=files_are_read)
        os.environ["DLT_PROJECT_DIR"] = folder
    from conversync.warehouse.warehouse import settle_dlt, settle_temporary_files

    settle_dlt("INFO" if debug else "CRITICAL")
    logs.begin(debug=debug)
    from conversync.settings import lookup, providers, proxies, trust
    from conversync.settings.project import Environment, use

    if not files_are_read:
        providers.settle_environment()
        use(Environment)
        return ()
    foreign = providers.settle().foreign
    proxies.settle()
    for warning in filter(None, [lookup.open_secrets(), *trust.warnings(), *providers.shared_secrets()]):
        say(f"conversync: {warning}", error=True)
    settle_temporary_files(lookup.warehouse_path(None).parent)
    return foreign


def _check_project(folder: str, *, must_exist: bool) -> None:
    """SettingsError for a project's folder that is none; `init` makes one that is not there yet."""
    if folder and Path(folder).is_dir():
        return
    if must_exist or not folder.strip() or os.path.lexists(folder):
        raise SettingsError(
            f'There is no folder "{folder}": --project (DLT_PROJECT_DIR) names one that is there, and whose .dlt/ '
            "holds the settings."
        )


def tell_tracebacks(errors: Iterable[BaseException | None]) -> None:
    """Of those that there are, for `--debug`."""
    for error in filter(None, errors):
        logging.getLogger("conversync").error("traceback", exc_info=error)


def gravest(codes: Iterable[int]) -> int:
    """Of several exit codes, the one that a person has to hear of first."""
    from conversync.load import GRAVITY

    return max(codes, key=GRAVITY.index)


def choose(names: list[str]) -> list[vendors.Vendor]:
    """The sources of these names, or all that are configured, each account one; SettingsError where that is none."""
    from conversync.settings import accounts, lookup

    chosen = accounts.chosen(names)
    if not names:
        chosen = [one for one in chosen if lookup.is_configured(one.settings, one.label)]
    if not chosen:
        raise SettingsError(
            "No source has its settings. conversync init asks for them and writes the files; for Besitos alone, "
            f"{lookup.where('besitos_token')}."
        )
    return chosen


def at(path: str | None, destination: str) -> warehouse.Warehouse:
    """The warehouse that the options name."""
    from conversync.settings import lookup
    from conversync.warehouse.warehouse import Warehouse

    place = Warehouse(lookup.warehouse_path(path), destination)
    place.check_destination()
    return place


def tell_new_folder(place: warehouse.Warehouse) -> None:
    """Says that a warehouse's folder is about to be made: its name may be a typing error."""
    if place.destination == "duckdb" and not place.path.parent.exists():
        say(
            f"conversync: the folder {place.path.parent} was not there; it is made for the warehouse.",
            error=True,
        )
