"""L04: a row that is far longer than any row is costs what is too long of it, and never its money."""

from __future__ import annotations

from decimal import Decimal

import pytest

from conversync.extract.field_kinds import SHORT
from conversync.extract.page_decoder import MOST_OF_ROW
from tests.besitos.rows import FROM, TO, row, text
from tests.support import Workspace

LONG = "x" * 25_000
HELD = "select transaction_id, payout, length(offer_name), extra from besitos.conversion_events order by 1"


def test_l04_a_long_row_is_held_with_its_money(house: Workspace) -> None:
    """What no document knows is left out of it, a text is cut, and both are told; a row as long as may be is whole."""
    most = "x" * (MOST_OF_ROW - 500)
    house.sandbox.besitos.rows = [
        row(1, memo=LONG),
        row(2, offer_name=LONG),
        row(3, offer_name="\U0001f600" + LONG, memo="here"),
        text(4, memo='"' + "\\u0000" * 4_000 + '"'),
        row(5, memo=most),
        row(6, offer_name=most),
        text(7, memo='"' + "@" * 25_000 + '"').encode().replace(b"@", b"\xff"),
    ]
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 0)
    paid, usual = Decimal("11.05"), len("Club Vegas Slots")
    assert house.query(HELD) == [
        (1, paid, usual, None),
        (2, paid, SHORT, None),
        (3, paid, SHORT, None),
        (4, paid, usual, None),
        (5, paid, usual, f'{{"memo":"{most}"}}'),
        (6, paid, len(most), None),
        (7, paid, usual, None),
    ]
    assert report.unknown_fields == {"memo": 1, "memo (not held whole)": 4, "offer_name (not held whole)": 2}


@pytest.mark.more
def test_l04_what_tells_a_long_row_from_another_is_not_cut(house: Workspace) -> None:
    """It is set aside, as are numbers of hundreds of digits and what is longer than any row; of its text, the beginning
    is kept, and a digest, by which the next night knows it again.
    """
    house.sandbox.besitos.rows = [
        row(1),
        row(2, user_id=LONG),
        text(3, reward="0." + "1" * 500),
        text(4, memo="9" * 500),
        row(5, memo="x" * (4 << 20)),
    ]
    first, second = (house.run(FROM, TO) for _ in range(2))
    assert (first.error, first.exit_code, first.total("rejected_new")) == (None, 3, 4)
    assert (second.exit_code, second.total("rejected_new"), second.known_rejected) == (0, 0, 4)
    assert house.query("select transaction_id from besitos.conversion_events") == [(1,)]
    reasons = [reason for [reason] in house.query("select reason from besitos.rejected_rows order by 1")]
    assert reasons[:2] == ["a number has 500 digits", "a number has 502 digits"]
    assert reasons[2].endswith("bytes, more than 4,194,304")
    assert reasons[3] == "user_id has 25,000 characters, in a row of more than 8,192"
    [[longest]] = house.query("select max(length(raw)) from besitos.rejected_rows")
    assert longest < MOST_OF_ROW + 100
