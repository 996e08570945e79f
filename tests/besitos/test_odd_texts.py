"""Texts that are none, in a name or beside the rows: what they cost, and what they do not."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817 - as short as the amounts

import pytest

from conversync.cli.output import notes
from conversync.sandbox import Fault
from tests.besitos.rows import FROM, TO, text
from tests.besitos.test_rows import PLAIN, served
from tests.support import Workspace, tables


def test_j12_bytes_outside_the_rows_that_are_no_text_cost_no_page(house: Workspace) -> None:
    """Nothing there is believed but its numbers."""
    house.sandbox.besitos.rows = PLAIN
    fault = house.sandbox.faults.add(
        Fault(mutate=lambda document, _: served(document).replace(b'"path":"', b'"path":"\xff\\ud83d'))
    )
    house.load(FROM, TO)
    assert fault.delivered == 2
    assert house.query("select count(*) from besitos.conversion_events") == [(50,)]


@pytest.mark.more
def test_j13_a_name_that_cannot_be_stored_costs_one_sentence(house: Workspace) -> None:
    """Money and exit code are right, the summary tells of the column once, and the next load finds nothing new."""
    odd = ['"\\ud83d"', '"a\\u0000b"', '"\\udc00 Slots"']
    house.sandbox.besitos.rows = [*PLAIN, *(text(100 + n, offer_name=one) for n, one in enumerate(odd))]
    report = house.load(FROM, TO)
    assert house.query("select count(*), sum(payout) from besitos.conversion_events") == [(53, D("585.65"))]
    assert house.query("select count(*) from besitos.rejected_rows") == [(0,)]
    [told] = [note for note in notes(report) if "offer_name" in note]
    assert told.startswith(
        "besitos: offer_name (3 rows) could not be stored as it came: a character that no database"
    )
    first = tables(house.path)
    again = house.load(FROM, TO)
    assert (again.total("added"), again.total("restated")) == (0, 0)
    assert tables(house.path) == first


def test_j12_a_byte_order_mark_is_read_past(house: Workspace) -> None:
    """Some servers write one; it means nothing."""
    house.sandbox.besitos.rows = PLAIN
    fault = house.sandbox.faults.add(Fault(mutate=lambda document, _: b"\xef\xbb\xbf" + served(document)))
    house.load(FROM, TO)
    assert fault.delivered == 2
    assert house.query("select count(*), sum(payout) from besitos.conversion_events") == [(50, D("552.5"))]
