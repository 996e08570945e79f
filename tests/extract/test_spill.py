"""Questions about many walks at once: the answers, within the memory that they may have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from conversync.extract.declared import PAGE
from conversync.extract.spill import SpillFile, SpillFiles

WALKS, ROWS = 200, 50
FIRST = date(2024, 12, 1)
TEXTS = [f"text_{number}" for number in range(16)]


@pytest.fixture
def spill_files() -> Iterator[SpillFiles]:
    """An empty folder."""
    with SpillFiles() as folder:
        yield folder


def walk(folder: SpillFiles, number: int) -> SpillFile:
    """Some events of its own, and one that every walk has."""
    keys = ["all", *(f"{number}:{one}" for one in range(1, ROWS))]
    at = datetime(2024, 12, 1, tzinfo=UTC) + timedelta(days=number % 30)
    table = pa.table(
        {
            "event_key": keys,
            "occurred_at": pa.array([at] * ROWS, pa.timestamp("us", "UTC")),
            "occurred_on": [at.date()] * ROWS,
            "statement_hash": [f"{number} {key}" for key in keys],
            **{name: [f"{name} of {key}, which is no short text" for key in keys] for name in TEXTS},
        }
    )
    written = folder.new()
    written.write(table)
    written.close()
    return written


def test_two_hundred_walks_are_asked_together(spill_files: SpillFiles) -> None:
    """Their rows are few, and so is what DuckDB may take; what each of them needs of it must not add up."""
    walks = [walk(spill_files, number) for number in range(WALKS)]
    assert spill_files.events(*walks) == WALKS * (ROWS - 1) + 1
    assert spill_files.among(walks, "event_key", ["all", "7:7", "7:0", "none"]) == {"all", "7:7"}
    assert spill_files.absent(walks, pa.table({"event_key": ["199:49", "200:1"]})) == ["200:1"]
    assert spill_files.holds(walks, "text_3 like 'text_3 of 199:49,%'")
    assert not spill_files.holds(walks, "occurred_on > '2024-12-30'")
    assert spill_files.latest(walks, "occurred_on", "true") == date(2024, 12, 30)


@pytest.mark.parametrize("pages", [(3, 2, 1), (1, 2, 3)])
def test_of_a_row_that_came_twice_the_first_page_is_kept(
    spill_files: SpillFiles, pages: tuple[int, int, int]
) -> None:
    """Wherever in the walk it lies."""
    rows, twice = next(walk(spill_files, 0).tables()), spill_files.new()
    for page in pages:
        twice.write(rows.append_column(PAGE.field, pa.array([page] * ROWS)))
    twice.close()
    chosen = spill_files.one_each([twice])
    assert chosen is not None
    assert [set(table[PAGE.name].to_pylist()) for table in chosen.tables()] == [{1}]
    assert chosen.rows == ROWS


@pytest.mark.parametrize("kept", [0, 100, 199])
def test_what_only_other_walks_brought(spill_files: SpillFiles, kept: int) -> None:
    """Of the days that are asked for, each event once, with its columns; not what a walk that is believed has, too."""
    walks = [walk(spill_files, number) for number in range(WALKS)]
    days = [(FIRST, FIRST + timedelta(days=1)), (FIRST + timedelta(days=29), FIRST + timedelta(days=29))]
    left = spill_files.left_out(walks[kept:], walks[:kept], ["text_1"], "occurred_on", days)
    of_those_days = [number for number in range(kept, WALKS) if number % 30 in (0, 1, 29)]
    wanted = {f"{number}:{one}" for number in of_those_days for one in range(1, ROWS)}
    assert {row["event_key"] for row in left} == wanted | (set() if kept else {"all"})
    assert len(left) == len(wanted) + (not kept)
    assert all(row["text_1"] == f"text_1 of {row['event_key']}, which is no short text" for row in left)
    assert {row["day"] for row in left} <= {FIRST, FIRST + timedelta(days=1), FIRST + timedelta(days=29)}


def test_one_walk_and_several_are_asked_in_turns(spill_files: SpillFiles) -> None:
    """A single one is read by DuckDB itself: what was asked about before must not answer for it."""
    walks = [walk(spill_files, number) for number in range(3)]
    for asked in ([0], [0, 1], [1], [2, 0], [2], [0]):
        some = [walks[number] for number in asked]
        found = spill_files.among(some, "event_key", ["0:1", "1:1", "2:1"])
        assert found == {f"{number}:1" for number in asked}


def test_a_file_outlives_its_folder_while_it_is_known(tmp_path: Path) -> None:
    """dlt takes it when the resource that yielded it may have ended; then nothing of it is left."""
    with SpillFiles(str(tmp_path)) as folder:
        taken = walk(folder, 7)
        taken.outlive()
        assert folder.among([taken], "event_key", ["7:1"]) == {"7:1"}
    assert list(tmp_path.iterdir()) == [taken.path]
    assert sum(table.num_rows for table in taken.tables()) == ROWS
    del taken
    assert list(tmp_path.iterdir()) == []
