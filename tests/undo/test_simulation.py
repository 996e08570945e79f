"""The books over months of nights: whatever comes, is killed, taken back, closed and opened, all adds up."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.process.support import ProcessPool
from tests.support import at_once
from tests.undo.past import Past
from tests.undo.simulated import Booked, Books
from tests.undo.test_histories import served


def lived(make_past: Callable[..., Past], seed: int, nights: int, nursery: ProcessPool | None) -> Books:
    """Half of the seeds without what is withdrawn; three of four with both walks in one commit."""
    random, made = Random(seed), make_past()
    counts = {"BESITOS_WITHDRAWN_COUNTS": str(seed % 2 == 0).lower()}
    past = Booked(made.name, made.sandbox, made.folder, made.settings | counts)
    past.vendor = None if seed % 4 == 3 else at_once()
    books = Books(past, random, nursery)
    for rows in served(seed, nights, random):
        books.live(rows)
    books.ended()
    return books


@pytest.mark.more
def test_some_nights(make_past: Callable[..., Past], nursery: ProcessPool) -> None:
    """Of one seed, with every kind of thing in them."""
    counts = lived(make_past, 1, 12, nursery).counts
    assert all(counts[name] for name in ("kills", "undos", "closings", "corrected", "pages"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4000, 4020))
def test_sixty_nights(
    make_past: Callable[..., Past],
    nursery: ProcessPool,
    record_property: Callable[[str, object], None],
    seed: int,
) -> None:
    """Twenty seeds: 0 differences."""
    counts = lived(make_past, seed, 60, nursery).counts
    for name, count in counts.items():
        record_property(name, count)
    assert counts["nights"] == 60
    assert all(counts[name] for name in ("kills", "undos", "closings", "corrected", "pages"))
