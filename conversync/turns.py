"""When a source may write: all the time where nobody else does, else in turns with the other shards of a backfill.

A shard reads its windows while others read theirs. In its turn it begins as a run does: everything is looked at anew,
the newest state and schema of the destination among it. So each commit is what one run would have made of the same
reading; and a reading of days that somebody has committed since it began is made again, in the turn: it may be older.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pendulum

from conversync.errors import SettingsError
from conversync.extract.windows import day
from conversync.http.source_turns import away
from conversync.types import Pipeline, Restored
from conversync.vendors import LoadRequest, Step, Vendor
from conversync.warehouse import query, undoable
from conversync.warehouse.warehouse import Warehouse
from conversync.warehouse.write_lock import Right

# Where a source's state keeps which backfill began last, and where taking it back goes back to.
BACKFILL = "_backfill"
# Seconds between two looks whether it is one's turn.
POLL = 0.05
# So many days back lies the last day of a range in shards, by UTC: it is over in every vendor's zone, and so is the day
# after it, so that a shard has the same windows whenever it is run.
OVER = 2


class Turns(Protocol):
    """When a source may write its dataset, and by which pipeline; `are_several` where others write there, too."""

    are_several: bool

    def turn(self) -> AbstractContextManager[Pipeline]:
        """Within, nobody else writes there; the pipeline is another one where somebody may have, since the last."""

    def is_behind(self, pipeline: Pipeline, step: Step) -> bool:
        """In a turn: whether what was read of a step before it may be older than what the tables hold of its days."""

    def point(self, pipeline: Pipeline, source: str, state: Restored) -> str | None:
        """In a turn: where taking back what is loaded goes back to; None: to what stands now."""


class Alone:
    """Who holds the dataset alone for the whole run."""

    are_several = False

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    @contextmanager
    def turn(self) -> Iterator[Pipeline]:
        """It is always its turn."""
        yield self._pipeline

    def is_behind(self, _pipeline: Pipeline, _step: Step) -> bool:
        """Nobody else wrote."""
        return False

    def point(self, _pipeline: Pipeline, _source: str, _state: Restored) -> str | None:
        """To what stood before the run."""
        return None


class InTurns:
    """A shard, which holds the right to its dataset together with others. `make` makes a pipeline in a folder."""

    are_several = True

    def __init__(
        self,
        right: Right,
        dataset: str,
        asked: LoadRequest,
        make: Callable[[Path], Pipeline],
        folder: Path,
    ) -> None:
        self._right, self._dataset, self._make, self._folder = right, dataset, make, folder
        self._backfill = f"{asked.start}..{asked.end}"
        self._count, self._since = 0, ""

    @contextmanager
    def turn(self) -> Iterator[Pipeline]:
        """Waits for it. Each has a pipeline of its own, which knows nothing but what the destination has."""
        with self._right.turn(self._dataset, _moment):
            self._count += 1
            pipeline = self._make(self._place(self._count))
            yield pipeline
            self._since = undoable.newest(pipeline)
        # What was read since the turn before lay there, and is loaded now.
        shutil.rmtree(self._place(self._count - 1), ignore_errors=True)

    def is_behind(self, pipeline: Pipeline, step: Step) -> bool:
        """Whether somebody committed some of its days since the turn before."""
        if not pipeline.default_schema_name or step.days is None:
            return False
        if "windows" not in pipeline.default_schema.data_table_names(seen_data_only=True):
            return False
        with pipeline.sql_client() as client:
            place = client.make_qualified_table_name("windows")
            asked = f"select count(*) from {place} where {_SINCE}"  # noqa: S608 - our own names
            [[found]] = query.rows(client, asked, self._since, step.days.end, step.days.start)
        return bool(found)

    def point(self, pipeline: Pipeline, source: str, state: Restored) -> str:
        """To what stood before the backfill; where another load came in between, to what stands now."""
        noted, newest = state.get(BACKFILL, {}), undoable.newest(pipeline)
        if noted.get("of") == self._backfill and undoable.point_of(pipeline, newest) == noted["point"]:
            return str(noted["point"])
        with pipeline.managed_state() as kept:
            own = kept.setdefault("sources", {}).setdefault(source, {})
            own[BACKFILL] = {"of": self._backfill, "point": newest}
        return newest

    def _place(self, turn: int) -> Path:
        return self._folder / f"{self._dataset}-{turn}"


_SINCE = "_dlt_load_id > %s and window_start <= %s and window_end >= %s"


def _moment() -> None:
    with away():
        time.sleep(POLL)


def parsed(text: str | None) -> tuple[int, int] | None:
    """2/8 as (2, 8); SettingsError for what is none."""
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise SettingsError(
            f'--shard is "{text}", but must be like 2/8: the second of eight parts of the days.'
        )
    return int(number), int(count)


def no_days(asked: LoadRequest) -> str:
    """What is said of a shard to which no window falls."""
    number, count = asked.shard or (1, 1)
    return f"shard {number}/{count} has no days, since {asked.start} .. {asked.end} has fewer windows than shards"


def check_shard(warehouse: Warehouse, chosen: Sequence[Vendor], asked: LoadRequest) -> None:
    """SettingsError, before any request, where what is asked for cannot be read in shards."""
    if asked.shard is None:
        return
    if not asked.start or not asked.end:
        raise SettingsError("--shard wants --from and --to: what is due is one run's to read.")
    latest = pendulum.today("UTC").date().subtract(days=OVER)
    if day(asked.end, "--to") > latest:
        raise SettingsError(
            f"--shard wants days that are over everywhere, and the day after them: --to may be {latest} at the latest. "
            "The days since are a load's without --shard."
        )
    if not all(warehouse.is_shared(vendor.dataset) for vendor in chosen):
        raise SettingsError(
            f"Shards write to one place at once, and {warehouse} lets one process write: load it without --shard, or "
            "name a PostgreSQL with --destination, or a DuckLake whose catalog is on one."
        )
    _refuse_other_kinds(chosen)


def _refuse_other_kinds(chosen: Sequence[Vendor]) -> None:
    able = [vendor.label for vendor in chosen if vendor.in_shards]
    if others := [vendor.label for vendor in chosen if not vendor.in_shards]:
        also = f", and name the others: {' '.join(able)}" if able else ""
        raise SettingsError(
            f"{', '.join(others)}: not read by windows of days that can be shared out. Load it without --shard{also}."
        )
