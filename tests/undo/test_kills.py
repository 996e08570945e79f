"""kill -9 at any moment of an undo: all of the load is taken back, or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.besitos.rows import reversal, row
from tests.process.support import ProcessPool, Wish
from tests.undo.past import Past

MANY = [row(number, payout=1, user_id=f"u{number}") for number in range(10, 22)]


@pytest.mark.more
def test_a_killed_undo_took_all_back_or_nothing(make_past: Callable[..., Past], nursery: ProcessPool) -> None:
    """At points drawn from all over it; the undo after it takes back what is left, and no more."""
    past = make_past()
    past.night([row(1, payout=10), row(90, reward="many"), *MANY])
    after = past.tables()
    past.night([row(1, payout=12), reversal(1, payout=12), row(90, reward="many"), *MANY])
    before = past.tables()

    def run(where: Past, **wish: object) -> int:
        env = {"PATH": os.environ["PATH"], "HOME": str(where.folder), **where.environment}
        asked = Wish(["undo", "--last", "--vendor", "besitos"], env, str(where.folder))
        return nursery.start(replace(asked, **wish)).wait().code  # type: ignore[arg-type] # fields of it

    def copy(name: str) -> Past:
        folder = past.folder.with_name(name)
        folder.mkdir()
        shutil.copy(past.path, folder / past.path.name)
        return replace(past, folder=folder)

    whole, told = copy("whole"), past.folder / "points"
    assert run(whole, points=str(told)) == 0
    assert whole.tables() == after
    points, seen = int(told.read_text()), set()
    for at in (*(points * part // 7 for part in (2, 4, 5, 6)), points - 1):
        place = copy(f"killed-{at}")
        assert run(place, at=at) < 0
        held = place.tables()
        assert held in (before, after)
        seen.add(held == after)
        if held == before:
            assert run(place) == 0
            assert place.tables() == after
    assert seen == {True, False}
