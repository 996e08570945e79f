"""What this version makes of a warehouse that an earlier one left, whose keys of reversals had no reward.

SQL for DuckDB and PostgreSQL, and the rows of the nights before.
"""

from __future__ import annotations

from typing import Any

from tests.besitos.rows import reversal, row

_SALES: list[Any] = [row(number, payout=30, reward=300) for number in (1, 2, 3, 4)]
_SALES += [row(5, payout=30, reward=300, currency="EUR"), row(6, payout=30, reward=300)]
_PLAIN: list[Any] = [
    reversal(1, payout=10, reward=100),
    reversal(1, payout=5, reward=50, date_time="2024-12-08 09:00:00"),
    reversal(5, payout=-10, reward=-100.5, currency="EUR"),
]
_GONE = [reversal(3, payout=10, reward=100)]
_MOVED = reversal(4, payout=10, reward=100)
_TEN, _TWELVE = (reversal(2, payout=amount, reward=10 * amount) for amount in (10, 12))
# One is restated, one is served no more, and one gave way to one of another date.
NIGHTS = [
    [*_SALES, *_PLAIN, *_GONE, _MOVED, _TEN],
    [*_SALES, *_PLAIN, {**_MOVED, "date_time": "2024-12-07 09:00:00"}, _TWELVE],
]

# An earlier version restated in place: the first statement was closed when the second one came, and nothing withdrawn.
RESTATED = """
    update besitos.conversion_events set valid_to = (
        select max(valid_from) from besitos.conversion_events where transaction_id = 2 and is_reversal
    ) where transaction_id = 2 and reward = 100;
    delete from besitos.withdrawn_events where transaction_id = 2;
"""
# Its keys. Its hashes are those of this version.
UNNAMED = """
    update besitos.conversion_events set event_key = regexp_replace(event_key, ':[^:]*$', '') where is_reversal;
    update besitos.withdrawn_events set event_key = regexp_replace(event_key, ':[^:]*$', '') where is_reversal;
"""
STATEMENTS = (
    "select event_key, statement_hash, payout, valid_from, valid_to "
    "from besitos.conversion_events order by 1, 4"
)
WITHDRAWN = "select event_key, withdrawn_at from besitos.withdrawn_events order by 1"
VIEW = "select * from besitos.conversions order by transaction_id"
REVERSALS = (
    "select transaction_id, reversals, statements, is_reversal_replaced, cast(net_payout as float) "
    "from besitos.conversions order by 1"
)
# Each with how many reversals count, its statements, whether one gave way, and what is left.
MEANT = [
    (1, 2, 3, False, 15.0),
    (2, 1, 3, False, 18.0),
    (3, 1, 2, False, 20.0),
    (4, 1, 3, True, 20.0),
    (5, 1, 2, False, 20.0),
    (6, 0, 1, False, 30.0),
]
KEYS = [
    "1:original",
    "1:reversal:2024-12-06 09:00:00:100.000000",
    "1:reversal:2024-12-08 09:00:00:50.000000",
    "2:original",
    "2:reversal:2024-12-06 09:00:00:100.000000",
    "2:reversal:2024-12-06 09:00:00:120.000000",
    "3:original",
    "3:reversal:2024-12-06 09:00:00:100.000000",
    "4:original",
    "4:reversal:2024-12-06 09:00:00:100.000000",
    "4:reversal:2024-12-07 09:00:00:100.000000",
    "5:original",
    "5:reversal:2024-12-06 09:00:00:100.500000",
    "6:original",
]
