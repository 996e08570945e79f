"""A range that several runs read in parts: whoever reads what when, the cursor ends where one run would leave it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from pendulum import Date

from conversync.extract.read_ahead import become, with_changes
from conversync.extract.windows import Window, asked_parts, part_of, pass_over

FIRST, TODAY = Date(2024, 1, 1), Date(2026, 1, 1)


def in_order(progress: dict[str, Any], read: Sequence[tuple[Window, date | None]]) -> dict[str, Any]:
    for window, short in read:
        pass_over(progress, FIRST, window, TODAY, short)
    return progress


@pytest.mark.parametrize("seed", range(50))
def test_the_cursor_is_that_of_one_run(seed: int) -> None:
    """Windows in any order, some twice, some short, before, on or after the cursor; it moves with the last one."""
    luck = Random(seed)
    start = FIRST.add(days=luck.choice([0, 0, 5, 40]))
    whole = Window(start, start.add(days=luck.randint(1, 60)))
    before = luck.choice([{}, {"first": "2024-01-01", "through": "2024-01-20"}])
    pieces = asked_parts(whole, luck.randint(2, 20), (1, 1))
    read = [
        (piece, piece.start.add(days=1) if luck.random() < 0.1 and piece.days > 2 else None)
        for piece in pieces
    ]
    wanted = in_order(copy.deepcopy(before), read)
    order = [*luck.sample(read, len(read)), *luck.choices(read, k=2)]
    missing = luck.choice(read)
    progress: dict[str, Any] = copy.deepcopy(before)
    with part_of(whole):
        for one in order:
            if one != missing:
                pass_over(progress, FIRST, one[0], TODAY, one[1])
        if len(read) > 1:
            assert progress.get("through", "") <= before.get("through", "")
        pass_over(progress, FIRST, missing[0], TODAY, missing[1])
        assert progress["through"] == wanted["through"] if wanted else "through" not in progress
        if all(short is None for _, short in read):
            assert progress == wanted
            again = luck.choice(read)
            pass_over(progress, FIRST, again[0], TODAY)
            is_passed = wanted and wanted["first"] <= str(whole.start) and str(whole.end) <= wanted["through"]
            assert progress == wanted or not is_passed, "a shard that is started again later leaves nothing"


@pytest.mark.parametrize("seed", range(50))
def test_shards_are_all_of_the_pieces_each_once(seed: int) -> None:
    """In their order, whatever the range, the window and the number of shards."""
    luck = Random(seed)
    whole, count, days = Window(FIRST, FIRST.add(days=luck.randint(0, 800))), luck.randint(1, 20), 31
    shards = [asked_parts(whole, days, (number, count)) for number in range(1, count + 1)]
    pieces = [piece for shard in shards for piece in shard]
    assert (pieces[0].start, pieces[-1].end) == whole
    assert all(one.end == other.start for one, other in pairwise(pieces))
    assert max(piece.days for piece in pieces) <= days
    if whole.days > 2 * count:
        assert all(len(shard) > 1 for shard in shards), "so that neighbours seldom read their day at once"


def test_what_a_reading_changed_goes_into_the_newest_state() -> None:
    """What others changed meanwhile stays; and who holds a mapping of the state holds that of the newest."""
    before = {"a": 1, "b": {"x": 1, "y": 2}, "gone": 1, "list": [1]}
    after = {"a": 1, "b": {"x": 5, "y": 2}, "list": [1, 2], "mine": {"z": 1}}
    newest = {"a": 2, "b": {"x": 1, "y": 3, "theirs": 4}, "gone": 1, "list": [1], "mine": {"w": 1}}
    mapping = after["b"]
    become(after, with_changes(newest, before, after))
    assert after == {"a": 2, "b": {"x": 5, "y": 3, "theirs": 4}, "list": [1, 2], "mine": {"w": 1, "z": 1}}
    assert after["b"] is mapping
