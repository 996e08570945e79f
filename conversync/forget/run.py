"""One run of `conversync forget`: the journal, the warehouse in one transaction, then the files, each whole or not.

Killed anywhere, it has left a warehouse that is right, and the next run ends what it began: the journal comes first,
since what else the person is called is only known as long as the warehouse says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from conversync.dlt_errors import translate_errors
from conversync.errors import SettingsError
from conversync.extract.persons import fingerprint, folded
from conversync.forget import rewritten, sends
from conversync.forget.cleared import Sought, changes, write
from conversync.forget.places import Place, mappings, places
from conversync.http.redact import remember
from conversync.load import pipeline_for
from conversync.send.journal import journal_path
from conversync.send.target_books import Bookkeeper, all_targets
from conversync.settings import privacy
from conversync.settings.accounts import sources
from conversync.types import Document, SqlClient
from conversync.warehouse import published_lake, tombstones
from conversync.warehouse.publish import publish, published_path, report_path
from conversync.warehouse.warehouse import Warehouse

SHORTEST = 2


class Found(NamedTuple):
    """Where something of the person stood: a table or a file, and in how many rows."""

    place: str
    rows: int


@dataclass
class Receipt:
    """What was found and, but for a dry run, cleared. It holds no id."""

    dry_run: bool
    found: list[Found] = field(default_factory=list)
    ids: int = 0
    """How many ids the person has, those that the tables know beside those that were given."""
    rewritten: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def document(self) -> Document:
        """As JSON has it."""
        return {**vars(self), "found": [one._asdict() for one in self.found]}


def forget(warehouse: Warehouse, given: Sequence[str], wait: float, *, dry_run: bool = False) -> Receipt:
    """Forgets the person of these ids (at least one), or with `dry_run` only looks.

    SettingsError without a key, an id or a warehouse; LockedError where somebody holds it, or sends, for longer than
    `wait` seconds; ConversyncError where something that was sent of the person is in doubt.
    """
    ids = _ids(given)
    key = privacy.needed("People are forgotten under a keyed fingerprint")
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; nobody is to be forgotten.")
    if warehouse.destination != "duckdb" and not warehouse.is_postgres:
        raise SettingsError(
            f"People are forgotten in a DuckDB file and on PostgreSQL, and {warehouse} is neither: what was deleted "
            "could stay in its files."
        )
    receipt = Receipt(dry_run)
    with translate_errors(), ExitStack() as held:
        if not dry_run:
            for target in all_targets(warehouse).values():
                held.enter_context(Bookkeeper(warehouse, target, wait).locked())
        names = _datasets()
        folder = held.enter_context(warehouse.locked(wait, "forget", names))
        looked = _in_warehouse(warehouse, ids, key, folder, wait, receipt)
        if not dry_run:
            _off_the_disk(warehouse, looked, folder, names, wait, receipt)
    if not dry_run:
        _made_anew(warehouse, wait, receipt)
    return receipt


def _datasets() -> list[str]:
    """All that a run may have written into, of every account that the settings name."""
    return [*dict.fromkeys(one.dataset for one in sources().values()), "sent", tombstones.DATASET]


def _ids(given: Sequence[str]) -> list[str]:
    ids = [one.strip() for one in given if one.strip()]
    if not ids:
        raise SettingsError(
            "No id was given: name the person as the vendor does, or pass the ids as lines with -."
        )
    if any(len(folded(one)) < SHORTEST for one in ids):
        raise SettingsError("An id of one character is none: it would be found in everybody's rows.")
    remember(*ids)
    return ids


def _in_warehouse(
    warehouse: Warehouse, ids: Sequence[str], key: bytes, folder: Path, wait: float, receipt: Receipt
) -> list[Place]:
    """Journal and tables; the places that were looked at."""
    with warehouse.held(wait, folder) as connection:
        with _session(warehouse, folder, _datasets()) as client:
            tombstones.known(client)  # with another key nobody would be known again
            everywhere = list(places(client, digits=all(one.isdigit() for one in ids)))
            sought = _sought(client, everywhere, ids, key)
            receipt.ids = len(sought.persons.tombstones)
            found = [(place, _changes(client, place, sought)) for place in everywhere]
            path = journal_path(warehouse)
            lines = sends.in_journal(path, sought, clears=not receipt.dry_run)
            if not receipt.dry_run:
                with client.begin_transaction():
                    tombstones.note(client, sought.persons)
                    for place, changed in found:
                        write(client, place, changed)
        receipt.found = [Found(str(place), len(changed)) for place, changed in found if changed]
        receipt.found += [Found(str(path.relative_to(warehouse.path.parent)), lines)] if lines else []
        if connection is not None and not receipt.dry_run:
            connection.execute("force checkpoint")
    return everywhere


def _changes(client: SqlClient, place: Place, sought: Sought) -> dict[object, Document]:
    return sends.ledger_changes(client, place, sought) if place.is_ledger else changes(client, place, sought)


def _sought(client: SqlClient, everywhere: Sequence[Place], ids: Sequence[str], key: bytes) -> Sought:
    """The person with all names: as given, as what stands for them, and as the tables of who is who have them."""
    named = dict.fromkeys([*ids, *(fingerprint(key, "user", folded(one)) for one in ids)])
    for place in everywhere:
        if str(place) in mappings():
            named |= dict.fromkeys(sends.aliases(client, place, Sought.of(key, named)))
    remember(*named)
    return Sought.of(key, named)


@contextmanager
def _session(warehouse: Warehouse, folder: Path, names: Sequence[str]) -> Iterator[Any]:
    destination = warehouse.dlt_destination(names)
    with pipeline_for(tombstones.DATASET, destination, folder).sql_client() as client:
        yield client


def _off_the_disk(
    warehouse: Warehouse,
    looked: Sequence[Place],
    folder: Path,
    names: Sequence[str],
    wait: float,
    receipt: Receipt,
) -> None:
    """Also where nothing was found: a run that was killed may have cleared it, and come no further."""
    if warehouse.destination == "duckdb":
        rewritten.anew(warehouse, folder)
        receipt.rewritten.append(warehouse.path.name)
        return
    with _session(warehouse, folder, names) as client:
        receipt.notes += rewritten.vacuumed(client, looked, wait)
    receipt.rewritten += [str(place) for place in looked]


def _made_anew(warehouse: Warehouse, wait: float, receipt: Receipt) -> None:
    """The copy for readers, and the page where there is one."""
    target = published_path(warehouse)
    if target is not None:
        publish(warehouse, clears=True, wait=wait)
        receipt.rewritten.append(f"{target.parent.name}/{target.name}")
        if lake := published_lake.wanted():
            receipt.rewritten.append(lake.address)
    page = report_path(warehouse)
    if page.exists():
        from conversync.report import write_report

        write_report(warehouse, page)
        receipt.rewritten.append(f"{page.parent.name}/{page.name}")
