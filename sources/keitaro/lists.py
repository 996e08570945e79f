"""What conversions and reports refer to: campaigns, offers, networks, sources, landing pages, domains.

Each is a bare array at `GET /admin_api/v1/<name>`. Of an entry its id, name and state are known to us; the rest is
kept in `extra`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pyarrow as pa
from dlt.extract import DltResource

from conversync.errors import InvalidResponseError, RequestRejectedError, VendorError
from conversync.extract.catalogue import confirmed, current_list, objects_of
from conversync.extract.declared import Table
from conversync.extract.fields import Fields
from conversync.extract.mistrusted import nothing_of
from conversync.extract.page_decoder import dumps
from conversync.extract.routing import listed
from conversync.http.body_status import refuse_error
from conversync.http.client import Response
from conversync.types import Document

from .tables import LISTS
from .tracker import Tracker

log = logging.getLogger("conversync")


# Is told, in a sentence without its full stop, of a list that cannot be had.
OnSkip = Callable[[str], None]


def warn(sentence: str) -> None:
    """What a script of one's own is told."""
    log.warning("keitaro: %s", sentence)


def lists(tracker: Callable[[], Tracker], on_skip: OnSkip = warn) -> list[DltResource]:
    """A resource for each list, merged on `id`.

    One that the tracker does not show us (403, 404 and their like) is skipped and told: its table keeps the rows that
    it has, each with when it was last seen.
    """

    def read(table: Table) -> Iterator[pa.Table]:
        name = table.name
        try:
            with tracker() as asked, nothing_of(f"Keitaro's list of {name}"):
                found = confirmed(lambda: asked.get(f"/{name}", lambda answer: _entries(answer, name)))
        except VendorError as error:
            if not _is_withheld(error):
                raise
            on_skip(
                f"the list of {name} was not read ({error.why}); what was known of it stays as it was last seen, "
                "and the next run asks for it again"
            )
            yield table.schema.empty_table()
            return
        yield current_list(found, table)

    return [listed(read, table) for table in LISTS]


def _is_withheld(error: VendorError) -> bool:
    """Whether the tracker answered, and would not show this list; 401 is about the key, and so about all of them."""
    status = error.status or 0
    refused = isinstance(error, RequestRejectedError) and status != 402
    return refused or status in (403, 404)


def _entries(answer: Response, name: str) -> list[Document]:
    body = answer.json(as_served=True)
    refuse_error(body)
    entries = objects_of(body)
    if entries is None:
        raise InvalidResponseError(f"Keitaro answered {name} with something other than a list of objects.")
    try:
        return [_entry(item) for item in entries]
    except ValueError as reason:
        raise InvalidResponseError(f"Keitaro answered {name} with an entry whose {reason}.") from None


def _entry(item: Document) -> Document:
    fields = Fields(item)
    known = fields.taken(LISTS[0].served)
    rest = fields.rest()
    return {**known, "extra": dumps(rest) if rest else None}
