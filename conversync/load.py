"""`conversync load`: one lock, a fresh dlt working directory, and window after window, each all or nothing.

After each commit the load looks at what it did (see warehouse/commit_check.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from conversync import dlt_shortcuts, load_counts
from conversync.dlt_errors import sentence, translate_errors
from conversync.errors import (
    PARTIAL,
    ConversyncError,
    InvalidResponseError,
    RequestRejectedError,
    SettingsError,
)
from conversync.extract.failing_requests import BeyondBoundsError
from conversync.extract.read_ahead import read_ahead
from conversync.extract.windows import part_of
from conversync.http import clock
from conversync.http.source_turns import side_by_side
from conversync.http.wait_budget import one_run
from conversync.load_counts import StepReport
from conversync.settings import accounts, dlt_settings, lookup
from conversync.turns import Alone, InTurns, Turns, check_shard, no_days
from conversync.vendors import LoadRequest, Step, Vendor
from conversync.warehouse import (
    arrivals,
    comments,
    commit_check,
    dataset_owner,
    datasets,
    duckdb_limits,
    functions,
    indexes,
    load_order,
    merging,
    privileges,
    retention,
    schema_drift,
    tombstones,
    undoable,
    views,
)
from conversync.warehouse.warehouse import Warehouse

# The gravest of several outcomes is what the command ends with.
GRAVITY = (0, 3, 1, 6, 4, 2, 5)


class Progress(Protocol):
    """Is told how a run goes on, by the threads of its sources, one at a time."""

    def step(self, dataset: str, label: str) -> None:
        """A window is about to be read."""

    def page(self, dataset: str, received: int, announced: int) -> None:
        """So many rows of its window have come."""

    def done(self, dataset: str, label: str, step: StepReport) -> None:
        """The window is committed."""


@dataclass
class SourceReport:
    """What a run of one source came to. With an `error`, what `steps` holds is committed all the same."""

    dataset: str
    steps: list[StepReport] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """A sentence for each part that could not be had, such as a list, or days; the rest is committed."""
    said: list[str] = field(default_factory=list)
    """What the run itself has to say, beside the notes of its steps."""
    known_rejected: int = 0
    seconds: float = 0
    error: BaseException | None = None
    begins_anew: bool = False
    """Whether its days were asked for from their first one on, so that no cursor says where the next run goes on."""

    def total(self, name: str) -> int:
        """The sum of one figure over the steps."""
        return sum(getattr(step, name) for step in self.steps)

    @property
    def unknown_fields(self) -> Counter[str]:
        """Fields that the document does not know, with the rows that had them."""
        return sum((step.unknown_fields for step in self.steps), Counter())

    @property
    def notes(self) -> list[str]:
        """What the source has to say, each sentence once."""
        notes = [note for step in self.steps for note in step.notes]
        return list(dict.fromkeys([*self.said, *notes, *self.skipped]))

    @property
    def exit_code(self) -> int:
        """What the command would end with for this source alone."""
        if self.error is not None:
            return getattr(self.error, "exit_code", 1)
        looks = any(map(self.total, ("rejected_new", "missing", "replaced"))) or self.skipped
        return PARTIAL if looks else 0


def load(
    warehouse: Warehouse, chosen: Sequence[Vendor], asked: LoadRequest, progress: Progress, wait: float = 0
) -> list[SourceReport]:
    """Loads the sources side by side: who waits for a vendor lets the others go on, and commits follow one another.

    One source's failure does not stop the others; the reports are in the order of `chosen`.

    Raises LockedError if another run or a reader holds the warehouse for longer than `wait` seconds, and
    SettingsError, before any request, if every source lacks a setting, or has one that cannot be meant; where only
    some do, that is their failure.
    """
    check_shard(warehouse, chosen, asked)
    resolved = lookup.resolve_each(chosen)
    datasets = [vendor.dataset for vendor in chosen]
    held = warehouse.locked(wait, asked.named, datasets, together=asked.shard is not None)
    with translate_errors(), held as folder:
        destination = warehouse.dlt_destination(datasets)
        with warehouse.held(wait, folder) as connection:

            def one(vendor: Vendor) -> SourceReport:
                make = partial(pipeline_for, vendor.dataset, destination)
                turns: Turns = (
                    Alone(make(folder))
                    if asked.shard is None
                    else InTurns(warehouse.right, vendor.dataset, asked, make, folder)
                )
                return load_source(turns, vendor, resolved[vendor.label], asked, progress)

            reports = side_by_side([partial(one, vendor) for vendor in chosen])
            if connection is not None:
                comments.refresh(connection)
            return reports


def planned(warehouse: Warehouse, vendor: Vendor, asked: LoadRequest, folder: Path) -> list[Step]:
    """The steps that `load` would take now; sends nothing to the vendor and creates no warehouse."""
    check_shard(warehouse, [vendor], asked)
    chosen = lookup.resolve(vendor.settings, vendor.label)
    state: dict[str, Any] = {}
    if warehouse.exists():
        warehouse.check_opens()
        destination = warehouse.dlt_destination([vendor.dataset], read_only=True)
        pipeline = pipeline_for(vendor.dataset, destination, folder)
        state = restored(pipeline, vendor.name)
        if not asked.same_account:
            dataset_owner.check(vendor, chosen, state)
        if not asked.new_account:
            dataset_owner.check_new(pipeline, vendor, chosen, state)
        state = arrivals.measured(pipeline, vendor, chosen, state)
    return list(vendor.steps(state, chosen, asked))


def pipeline_for(dataset: str, destination: Any, folder: Path) -> Any:
    """The dlt pipeline of one dataset, with its working directory in `folder`."""
    import dlt

    dlt_settings.pin_dlt_settings()
    dlt_shortcuts.keep()
    merging.merge_by_what_came()
    return dlt.pipeline(
        datasets.pipeline_name(dataset),
        destination=destination,
        dataset_name=dataset,
        pipelines_dir=str(folder),
    )


def restored(pipeline: Any, source: str) -> dict[str, Any]:
    """The source's state as the destination has it; empty where nothing was loaded yet."""
    with translate_errors():
        try:
            pipeline.sync_destination()
            load_order.take_newest_state(pipeline)
        except Exception as error:
            if sentence(error) is not None or pipeline.destination.destination_name != "duckdb":
                raise
            dataset = pipeline.dataset_name
            raise ConversyncError(
                f"What the loads noted of themselves in {dataset}._dlt_pipeline_state and {dataset}._dlt_version "
                "cannot be read. Nothing was loaded. Restore the warehouse from a copy, or load everything anew after: "
                f"drop schema {dataset} cascade; drop schema if exists {dataset}_staging cascade."
            ) from error
    return _state(pipeline, source)


def _state(pipeline: Any, source: str) -> dict[str, Any]:
    return dict(pipeline.state.get("sources", {}).get(source, {}))


def load_source(
    turns: Turns, vendor: Vendor, chosen: Any, asked: LoadRequest, progress: Progress
) -> SourceReport:
    """One source into its dataset, in its turns; whatever fails is in the report. The caller holds the warehouse."""
    report = SourceReport(vendor.dataset, begins_anew=asked.begins_anew)
    started = time.monotonic()
    if isinstance(chosen, SettingsError):
        report.error = chosen
        return report
    run = _Run(turns, vendor, chosen, asked, progress, report)
    with clock.of_its_own():
        try:
            with translate_errors(), one_run(), accounts.asked_for(vendor.label), _within(turns):
                run.take_steps()
        except Exception as error:  # noqa: BLE001 - the other sources still load; it is reported, and costs exit 1
            report.error = accounts.placed(error, vendor.label)
        told = report.said if clock.apart() >= timedelta(0) else report.skipped
        told += filter(None, [load_order.apart(clock.apart())])
    if report.steps:
        try:
            with translate_errors(), run.turn() as now:
                report.known_rejected = load_counts.set_aside(now.pipeline, report.loads) - report.total(
                    "rejected_new"
                )
                report.said += filter(None, [retention.forget_rejected(now.pipeline)])
        except Exception as error:  # noqa: BLE001 - as above
            report.error = report.error or error
    report.seconds = time.monotonic() - started
    return report


@contextmanager
def _within(turns: Turns) -> Iterator[None]:
    """What holds for a whole run of a source, in its turns and between them."""
    with ExitStack() as held:
        with turns.turn() as pipeline:
            for one in (dlt_shortcuts.kept_open, tombstones.heeded, undoable.within):
                held.enter_context(one(pipeline))
        yield


def _upgrade(pipeline: Any, vendor: Vendor) -> None:
    """What an earlier version left is mended before anything is added to it."""
    if vendor.upgrade is None or not pipeline.default_schema_name:
        return
    if vendor.statements.keys() <= set(pipeline.default_schema.data_table_names(seen_data_only=True)):
        with pipeline.sql_client() as client:
            vendor.upgrade(client, client.capabilities.sqlglot_dialect or "duckdb")


@dataclass
class _Prepared:
    """A dataset that may be written now: nothing stands against it, its newest state and its newest load are known."""

    pipeline: Any
    state: dict[str, Any]
    wanted: functions.Wanted
    newest: float
    keeper: undoable.Keeper


@dataclass
class _Run:
    """One source of a run: what it is loaded with, and what it came to."""

    turns: Turns
    vendor: Vendor
    chosen: Any
    asked: LoadRequest
    progress: Progress
    report: SourceReport
    _now: _Prepared | None = None

    @contextmanager
    def turn(self) -> Iterator[_Prepared]:
        """Within, the dataset is ours to write."""
        with self.turns.turn() as pipeline:
            if self._now is None or self._now.pipeline is not pipeline:
                self._now = self._prepared(pipeline)
            yield self._now

    def take_steps(self) -> None:
        """Step after step, each committed and looked at before the next is read."""
        report = self.report
        with self.turn() as now:
            state = now.state
        lost: BeyondBoundsError | None = None
        for step in self.vendor.steps(state, self.chosen, self.asked):
            self.progress.step(report.dataset, step.label)
            try:
                with translate_errors(), part_of(step.of if self.asked.shard else None):
                    self._take(step)
            except (RequestRejectedError, InvalidResponseError) as error:
                again = "not read again"
                if not step.is_extra:
                    # A listing without an end costs its own days, if others come.
                    if not isinstance(error, BeyondBoundsError):
                        raise
                    lost, again = lost or error, "not loaded, and its days are read again next time"
                report.skipped.append(f"{step.label}: {again}. {str(error).removesuffix('.')}")
                continue
            self.progress.done(report.dataset, step.label, report.steps[-1])
        report.said += self._without_days()
        if lost is not None and not report.steps:
            report.skipped.clear()
            raise lost

    def _without_days(self) -> Iterator[str]:
        """A sentence of a shard, where the others have all windows."""
        if self.asked.shard and not (self.report.steps or self.report.skipped):
            yield no_days(self.asked)

    def _take(self, step: Step) -> None:
        """Reads a step, commits it, and notes what it came to."""
        report, vendor = self.report, self.vendor
        with read_ahead(partial(step.source, partial(self.progress.page, report.dataset))) as ahead:
            if self.turns.are_several and self._now is not None:
                ahead.read(self._now.state)
            with self.turn() as now:
                if self.turns.is_behind(now.pipeline, step):
                    ahead.forget()
                before = load_counts.rows(now.pipeline, vendor)
                load_order.come_after(now.newest)
                loads, counts = _commit(now.pipeline, vendor, ahead.source, now.wanted, now.keeper)
                now.newest = max(now.newest, *map(float, loads))
                now.state = _state(now.pipeline, vendor.name)
                report.loads += loads
                report.steps.append(load_counts.of_loads(now.pipeline, vendor, loads, before, counts))
        report.skipped += step.skipped

    def _prepared(self, pipeline: Any) -> _Prepared:
        vendor, chosen, report = self.vendor, self.chosen, self.report
        state, wanted = restored(pipeline, vendor.name), functions.Wanted.of(vendor, chosen)
        with pipeline.sql_client() as client:
            privileges.check(client, [client.staging_dataset_name])
        if not self.asked.same_account:
            dataset_owner.check(vendor, chosen, state)
        if not self.asked.new_account:
            dataset_owner.check_new(pipeline, vendor, chosen, state)
        report.said += filter(None, [dataset_owner.moved(vendor, chosen, state)])
        schema_drift.check(pipeline, vendor.name, wanted.views)
        commit_check.refuse_what_is_in_doubt(pipeline, vendor)
        _upgrade(pipeline, vendor)
        views.mend(pipeline, wanted.views)
        dataset_owner.note(pipeline, vendor, chosen)
        state = arrivals.note(pipeline, vendor, chosen, state)
        newest = load_order.newest_load(pipeline, vendor.statements)
        keeper = undoable.Keeper.begin(pipeline, self.turns.point(pipeline, vendor.name, state))
        report.said += filter(None, [load_order.behind(newest)])
        return _Prepared(pipeline, state, wanted, newest, keeper)


def _commit(
    pipeline: Any, vendor: Vendor, source: Any, wanted: functions.Wanted, keeper: undoable.Keeper
) -> tuple[list[str], dict[str, int]]:
    """Loads what a source yields and looks at it; the ids of its loads, and its rows by table.

    The views and functions that are `wanted` stand before the first row is committed; `keeper` keeps what it replaces.
    """
    pipeline.extract(source)
    normalized = pipeline.normalize()
    duckdb_limits.let_go()
    counts = {table: rows for table, rows in normalized.row_counts.items() if not table.startswith("_dlt")}
    wanted.make(pipeline)
    keeper.keep(pipeline, normalized.loads_ids)
    with commit_check.staged_rows_kept():
        loads = pipeline.load().loads_ids
    try:
        commit_check.check(pipeline, vendor, loads, counts)
        indexes.keep(pipeline, vendor.days)
    finally:
        commit_check.clear_staging(pipeline, loads)
    with pipeline.sql_client() as client:
        duckdb_limits.let_go_of_pages(client)
    return loads, counts
