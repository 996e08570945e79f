"""What players can be sent to: the games (`offers`) and the `deals` of a partner account.

The vendor names these endpoints, and a few of their fields; a list may come bare or under `data`, whole or in
pages. What is not known to us is kept in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from conversync.errors import InvalidResponseError
from conversync.extract.catalogue import CURRENCY_FIELDS, confirmed, current_list, objects_of
from conversync.extract.kinds import AMOUNT, KEY, MONEY, TEXT, FieldType
from conversync.extract.meaning import nothing_of
from conversync.extract.page_decoder import dumps
from conversync.extract.values import AlteredError, is_nothing, taken_of
from conversync.http.body_status import refuse_error
from conversync.http.client import Client, Response

PER_PAGE = 1000
# Far more pages than any wall has offers for.
MOST_PAGES = 1000

OFFERS = pa.schema(
    [
        pa.field("offer_id", pa.string(), nullable=False),
        ("name", pa.string()),
        ("budget_status", pa.string()),
        ("cpi", MONEY),
        ("goals", pa.string()),
        *CURRENCY_FIELDS,
    ]
)
DEALS = pa.schema(
    [
        pa.field("offer_id", pa.string(), nullable=False),
        ("name", pa.string()),
        ("cpa", MONEY),
        *CURRENCY_FIELDS,
    ]
)


KINDS: dict[str, FieldType] = {"name": TEXT, "budget_status": TEXT, "cpi": AMOUNT, "cpa": AMOUNT}


def catalogue(settings: Any) -> list[DltResource]:
    """The resources `offers` and `deals` of `besitos_partner_id`, both merged on `offer_id`."""

    def read(name: str, schema: pa.Schema) -> Iterator[pa.Table]:
        path = f"/data/partner/{name}/{quote(str(settings.besitos_partner_id), safe='')}"
        with settings.client() as client, nothing_of(f"Besitos' list of {name}"):
            rows = [_row(item, schema) for item in confirmed(lambda: _everything(client, path))]
        yield current_list(rows, name, schema)

    return [
        dlt.resource(
            read,
            name=name,
            write_disposition={"disposition": "merge", "strategy": "upsert"},
            primary_key="offer_id",
            columns={"goals": {"data_type": "json"}, "extra": {"data_type": "json"}}
            if "goals" in schema.names
            else {"extra": {"data_type": "json"}},
        )(name, schema)
        for name, schema in (("offers", OFFERS), ("deals", DEALS))
    ]


def _everything(client: Client, path: str) -> list[dict[str, Any]]:
    """All rows: page after page until one is empty, repeats the one before, or says that it is the last."""
    found: list[dict[str, Any]] = []
    previous: list[dict[str, Any]] = []
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
        meta = body.get("meta") if isinstance(body, dict) else None
        if (
            not isinstance(meta, dict)
            or not isinstance(meta.get("last_page"), int)
            or number >= meta["last_page"]
        ):
            break
    return found


def _body(answer: Response) -> Any:
    body = answer.json(as_served=True)
    refuse_error(body)
    return body


def _row(item: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """One offer or deal: the columns that we know, everything else in `extra`."""
    rest = dict(item)
    identity = rest.pop("offer_id", None)
    if identity is None:
        identity = rest.pop("id", None)
    if identity is None:
        raise InvalidResponseError("Besitos answered with an offer that has no id.")
    row: dict[str, Any] = {"offer_id": _value("offer_id", KEY, identity)[0]}
    for name, kind in KINDS.items():
        if name in schema.names:
            row[name], is_as_it_came = _value(name, kind, rest.get(name))
            if is_as_it_came:
                rest.pop(name, None)
    if "goals" in schema.names:
        goals = rest.pop("goals", None)
        row["goals"] = dumps(goals) if goals is not None else None
    return {**row, "extra": dumps(rest) if rest else None}


def _value(name: str, kind: FieldType, value: Any) -> tuple[Any, bool]:
    """What a field says, and whether that is all of what came."""
    try:
        taken = taken_of(kind, value)
        return taken, taken is not None or not is_nothing(value)
    except AlteredError as reason:
        return reason.taken, False
    except ValueError as reason:
        raise InvalidResponseError(f"Besitos answered with an offer whose {name} {reason}.") from None
