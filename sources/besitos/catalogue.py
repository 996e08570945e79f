"""What players can be sent to: the games (`offers`) and the `deals` of a partner account.

The vendor names these endpoints, and a few of their fields; a list may come bare or under `data`, whole or in
pages. What is not known to us is kept in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

import pyarrow as pa
from dlt.extract import DltResource

from conversync.errors import InvalidResponseError
from conversync.extract.catalogue import confirmed, current_list, objects_of
from conversync.extract.declared import Table
from conversync.extract.field_kinds import KEY
from conversync.extract.mistrusted import nothing_of
from conversync.extract.page_decoder import dumps
from conversync.extract.routing import listed
from conversync.extract.values import AlteredError, Reads, is_nothing, taken_of
from conversync.http.body_status import refuse_error
from conversync.http.client import Client, Response
from conversync.types import Document

from .settings import BesitosSettings
from .tables import DEALS, OFFERS

PER_PAGE = 1000
# Far more pages than any wall has offers for.
MOST_PAGES = 1000


def catalogue(settings: BesitosSettings) -> list[DltResource]:
    """The resources `offers` and `deals` of `besitos_partner_id`, both merged on `offer_id`."""

    def read(table: Table) -> Iterator[pa.Table]:
        path = f"/data/partner/{table.name}/{quote(str(settings.besitos_partner_id), safe='')}"
        with settings.client() as client, nothing_of(f"Besitos' list of {table.name}"):
            rows = [_row(item, table) for item in confirmed(lambda: _everything(client, path))]
        yield current_list(rows, table)

    return [listed(read, table) for table in (OFFERS, DEALS)]


def _everything(client: Client, path: str) -> list[Document]:
    """All rows: page after page until one is empty, repeats the one before, or says that it is the last."""
    found: list[Document] = []
    previous: list[Document] = []
    for number in range(1, MOST_PAGES + 1):
        body = client.get(path, {"per_page": str(PER_PAGE), "page": str(number)}, _body)
        rows = objects_of(body["data"] if isinstance(body, dict) and "data" in body else body)
        if rows is None:
            raise InvalidResponseError(
                f"Besitos answered {path.split('/')[-2]} with something other than a list."
            )
        if not rows or rows == previous:
            break
        found += rows
        previous = rows
        if _is_last(body, number):
            break
    return found


def _is_last(body: object, number: int) -> bool:
    """Whether a page is the last one, as it says; one that says nothing of pages is all there is."""
    meta = body.get("meta") if isinstance(body, dict) else None
    last = meta.get("last_page") if isinstance(meta, dict) else None
    return not isinstance(last, int) or number >= last


def _body(answer: Response) -> Any:
    body = answer.json(as_served=True)
    refuse_error(body)
    return body


def _row(item: Document, table: Table) -> Document:
    """One offer or deal: the columns that we know, everything else in `extra`."""
    rest = dict(item)
    identity = rest.pop("offer_id", None)
    if identity is None:
        identity = rest.pop("id", None)
    if identity is None:
        raise InvalidResponseError("Besitos answered with an offer that has no id.")
    row: Document = {"offer_id": _value("offer_id", KEY, identity)[0]}
    for column in table.served:
        if column.is_json:
            value = rest.pop(column.name, None)
            row[column.name] = dumps(value) if value is not None else None
            continue
        row[column.name], is_as_it_came = _value(
            column.name, cast("Reads", column.kind), rest.get(column.name)
        )
        if is_as_it_came:
            rest.pop(column.name, None)
    return {**row, "extra": dumps(rest) if rest else None}


def _value(name: str, kind: Reads, value: object) -> tuple[Any, bool]:
    """What a field says, and whether that is all of what came."""
    try:
        taken = taken_of(kind, value)
        return taken, taken is not None or not is_nothing(value)
    except AlteredError as reason:
        return reason.taken, False
    except ValueError as reason:
        raise InvalidResponseError(f"Besitos answered with an offer whose {name} {reason}.") from None
