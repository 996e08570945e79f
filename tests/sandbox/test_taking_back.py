"""What the feed takes back: a conversion withdrawn, a reversal in instalments, restated or replaced."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from conversync.sandbox import Read, Sandbox, Totals, World
from conversync.sandbox.besitos import parse_variants, totals
from conversync.sandbox.story import Conversion
from tests.sandbox.asking import scan

FIRST, LAST = date(2025, 12, 1), date(2026, 12, 31)
SOON, LONG = timedelta(hours=1), timedelta(days=6)


def under(*pairs: str) -> Sandbox:
    """A story of thirty days in which a change comes five days after the event was told."""
    return Sandbox(World(days=30), variants=parse_variants(pairs))


def reversed_in(sandbox: Sandbox, every: int, place: int) -> Conversion:
    """A conversion that the variant meets: taken back once for all, and to more than a cent."""
    return next(
        one
        for one in sandbox.world.conversions
        if one.reversal
        and one.transaction_id % every == place % every
        and len(one.tellings) == len(one.reversal.tellings) == 1
        and one.reversal.tellings[0].at > one.tellings[0].at + LONG
        and one.reversal.tellings[0].amounts.payout > 1
    )


def rows_of(sandbox: Sandbox, one: Conversion, after: timedelta) -> list[dict[str, Any]]:
    """What is served of the transaction so long after its reversal was told, reversals last."""
    assert one.reversal is not None
    sandbox.world.now = one.reversal.tellings[0].at + after
    rows = [
        row
        for row in scan(sandbox, from_date=FIRST, to_date=LAST)
        if row["transaction_id"] == one.transaction_id
    ]
    return sorted(rows, key=lambda row: (row.get("reverse", 0), row["date_time"]))


def key_of(row: dict[str, Any]) -> str:
    """A reversal's key, by its row."""
    return f"{row['transaction_id']}:reversal:{row['date_time']}:{row['reward']:.6f}"


def test_m02_a_withdrawn_conversion() -> None:
    """Served for five days and then no more, its reversal neither; the oracle names it once a read has missed it."""
    with under("withdrawn=3") as sandbox:
        one = next(one for one in sandbox.world.conversions if one.transaction_id % 3 == 0)
        told, key = one.tellings[0].at, f"{one.transaction_id}:original"
        oracle = sandbox.besitos.oracle
        counts = []
        for after in (SOON, LONG):
            sandbox.world.now = told + after
            rows = scan(sandbox, from_date=FIRST, to_date=LAST)
            counts.append(sum(row["transaction_id"] == one.transaction_id for row in rows))
        first, second = sandbox.besitos.reads[0], sandbox.besitos.reads[-1]
        elsewhere = Read(second.clock, LAST, LAST)
        reversals = Read(second.clock, FIRST, LAST, is_reverse="true")
        assert counts == [1, 0]
        assert key in oracle.statements(told + SOON)
        assert key not in oracle.statements(told + LONG)
        assert key in oracle.standing([first, second])
        known = [key in oracle.withdrawn([first, *more]) for more in ([], [elsewhere], [reversals], [second])]
    assert known == [False, False, False, True]


def test_m01_a_reversal_in_instalments() -> None:
    """A third, and five days later the rest beside it, under another date; their sum is what is taken back."""
    with under("instalments=2") as sandbox:
        one = reversed_in(sandbox, 2, 1)
        assert one.reversal is not None
        _, third = rows_of(sandbox, one, SOON)
        original, first, second = rows_of(sandbox, one, LONG)
        oracle = sandbox.besitos.oracle
        ours = [said for said in oracle.statements().values() if said.transaction_id == one.transaction_id]
        assert not any(
            key.startswith(f"{one.transaction_id}:") for key in oracle.withdrawn(sandbox.besitos.reads)
        )
    whole = one.reversal.tellings[0].amounts
    assert (first, first["date_time"] < second["date_time"]) == (third, True)
    assert first["payout"] + second["payout"] == whole.payout
    assert first["reward"] + second["reward"] == whole.reward
    assert [said.event_key for said in ours] == [
        f"{one.transaction_id}:original",
        key_of(first),
        key_of(second),
    ]
    summed = totals(ours)
    assert (summed.net_payout, summed.reversals) == (original["payout"] - whole.payout, 1)


def test_m01_a_reversal_restated_in_place() -> None:
    """A half at first, then all of it under the same date: another event, to which the first one gave way."""
    with under("restated=2") as sandbox:
        one = reversed_in(sandbox, 2, 3)
        assert one.reversal is not None
        _, before = rows_of(sandbox, one, SOON)
        _, after = rows_of(sandbox, one, LONG)
        oracle, reads = sandbox.besitos.oracle, sandbox.besitos.reads
        held, counted, replaced = oracle.held(reads), oracle.counted(reads), oracle.replaced(reads)
    whole = one.reversal.tellings[0].amounts.payout
    assert before["date_time"] == after["date_time"]
    assert (before["payout"] < whole, after["payout"]) == (True, whole)
    assert [[said.payout for said in held[key_of(row)]] for row in (before, after)] == [
        [before["payout"]],
        [whole],
    ]
    assert key_of(before) in replaced
    assert (key_of(before) in counted, key_of(after) in counted) == (False, True)


def test_m01_a_reversal_that_takes_anothers_place() -> None:
    """The old one is served no more; the new one alone counts, though both are held."""
    with under("replaced=2") as sandbox:
        one = reversed_in(sandbox, 2, 2)
        assert one.reversal is not None
        original, old = rows_of(sandbox, one, SOON)
        _, new = rows_of(sandbox, one, LONG)
        oracle, reads = sandbox.besitos.oracle, sandbox.besitos.reads
        gone = key_of(old)
        assert gone in oracle.withdrawn(reads)
        assert gone in oracle.replaced(reads)
        held, counted = (
            [said for said in standing.values() if said.transaction_id == one.transaction_id]
            for standing in (oracle.standing(reads), oracle.counted(reads))
        )
    taken = one.reversal.tellings[0].amounts.payout
    assert (old["payout"], new["payout"], old["date_time"][:10] < new["date_time"][:10]) == (
        taken,
        taken,
        True,
    )
    assert (len(held), len(counted)) == (3, 2)
    assert totals(counted).net_payout == original["payout"] - taken


def test_instalments_side_by_side_replace_nothing() -> None:
    """Where one of two is served no more, the other had its place already: both still count."""
    with under("instalments=2") as sandbox:
        one = reversed_in(sandbox, 2, 1)
        assert one.reversal is not None
        told, oracle = one.reversal.tellings[0].at, sandbox.besitos.oracle
        both_then_one = [Read(told + after, FIRST, LAST) for after in (LONG, SOON)]
        gone = {key for key in oracle.withdrawn(both_then_one) if key.startswith(f"{one.transaction_id}:")}
        assert len(gone) == 1
        assert oracle.replaced(both_then_one) & gone == set()
        assert gone < oracle.counted(both_then_one).keys()


def test_instalments_under_their_originals_date() -> None:
    """Their rewards tell them apart; what cannot be split in two different ones is not. The sums are the same."""
    with under("instalments=1", "reversal_dated=original") as sandbox:
        sandbox.world.now = sandbox.world.last_change() + LONG
        keys = [key for key in sandbox.besitos.oracle.statements() if ":reversal:" in key]
        split = sandbox.besitos.oracle.totals()
        sandbox.besitos.variants = parse_variants(["reversal_dated=original"])
        whole = [key for key in sandbox.besitos.oracle.statements() if ":reversal:" in key]
        assert sandbox.besitos.oracle.totals() == split != Totals()
    assert len(whole) < len(keys) <= 2 * len(whole)
    assert split.net_payout < split.gross_payout
    assert split.reversed_payout > Decimal(0)
