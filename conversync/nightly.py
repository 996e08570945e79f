"""`conversync nightly`: load, build, send, publish, report, alert: one summary, and the gravest exit code of all steps.

What one step leaves undone stops only what rests on it:

- build, publish and report run after a load that partly failed: what came is better seen than not.
- a send is better late than wrong. It waits for the next night if a source that it reads failed (any source, where its
  query reads more than vendors' own tables), or if the build failed, tests included.
- where another run holds the warehouse at once, or a setting is missing, only the alert follows.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conversync.cli import output
from conversync.cli.output import explain
from conversync.count_words import counted
from conversync.dlt_errors import translate_errors
from conversync.errors import PARTIAL, LockedError, SettingsError
from conversync.load import GRAVITY, Progress, SourceReport, load
from conversync.monitor import alert
from conversync.monitor.limits import Limits, limits
from conversync.monitor.overview import look
from conversync.monitor.problems import Problem, problems
from conversync.settings.accounts import sources, targets
from conversync.vendors import LoadRequest, Vendor
from conversync.warehouse import duckdb_limits, files, retention
from conversync.warehouse.publish import check_published, publish, report_path
from conversync.warehouse.waiting import acquire
from conversync.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from conversync.send.options import Options
    from conversync.send.target import Target

log = logging.getLogger("conversync")

DONE, FAILED, SKIPPED = "done", "failed", "skipped"


@dataclass
class Step:
    """One step, or one source or target of it. `text` is what it came to; `notes` are sentences for a person."""

    step: str
    what: str = ""
    outcome: str = DONE
    text: str = ""
    seconds: float = 0.0
    exit_code: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Night:
    """What a night came to. An alert that was not delivered is told, and costs no exit code."""

    warehouse: str
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The gravest of all steps (see `GRAVITY`)."""
        return max((step.exit_code for step in self.steps), key=GRAVITY.index, default=0)

    def failed(self, *steps: str) -> list[Step]:
        """The steps of these names that failed."""
        return [one for one in self.steps if one.step in steps and one.outcome == FAILED]


@dataclass(frozen=True)
class Wanted:
    """What a night is to do besides loading; `wait` seconds for another run or a reader, at each step."""

    build: bool = True
    send: bool = True
    report: bool = True
    alert: bool = True
    wait: float = 0


def nightly(
    warehouse: Warehouse, chosen: Sequence[Vendor], wanted: Wanted, progress: Progress, log_format: str
) -> Night:
    """Runs the night. SettingsError, before any request, where the settings of alert or copy cannot be meant."""
    channels, bounds = alert.channels(), limits()
    check_published(warehouse)
    retention.check()
    duckdb_limits.limits()
    night = Night(str(warehouse))
    loaded: list[SourceReport] = []
    try:
        with _alone(warehouse, wanted.wait):
            with _step(night, "load"), translate_errors():
                loaded = load(warehouse, chosen, LoadRequest(), progress, wanted.wait)
            if loaded:
                night.steps += [_loaded(one) for one in loaded]
                _build(night, warehouse, wanted)
                _send_all(night, warehouse, wanted, log_format)
                _forget(night, warehouse, wanted)
                _publish(night, warehouse, wanted)
                _report(night, warehouse, wanted)
    except (LockedError, SettingsError) as refused:
        night.steps.append(Step("load", outcome=FAILED, text=str(refused), exit_code=refused.exit_code))
    if wanted.alert:
        _alert(night, warehouse, chosen, bounds, channels)
    return night


@contextmanager
def _alone(warehouse: Warehouse, wait: float) -> Iterator[None]:
    """One night at a time: the warehouse's own lock is taken step by step, and somebody could come in between."""
    try:
        name = f"nightly-{warehouse.lock_path.stem}.lock"
        opened = files.lock_file(files.private_folder(warehouse.home) / name)
    except OSError as error:
        raise SettingsError(
            f"The folder {warehouse.home} cannot be written ({error.strerror}): give this user the right to."
        ) from None
    with opened as handle:
        acquire(handle, wait, f"Another nightly run is at work on {warehouse}")
        yield


@contextmanager
def _step(night: Night, name: str, what: str = "") -> Iterator[Step]:
    """A step whose failure is noted, and stops nothing; it is noted as done only if it was given a text."""
    step, started = Step(name, what), time.monotonic()
    try:
        with translate_errors():
            yield step
    except Exception as error:
        log.debug("traceback", exc_info=error)
        step.outcome, step.text = FAILED, explain(error)
        step.exit_code = getattr(error, "exit_code", 1)
    step.seconds = step.seconds or time.monotonic() - started
    if step.text:
        night.steps.append(step)


def _loaded(done: SourceReport) -> Step:
    read, new, restated = (done.total(name) for name in ("received", "added", "restated"))
    text = f"{read:,} read, {new:,} new, {restated:,} restated"
    step = Step("load", done.dataset, text=text, seconds=done.seconds, exit_code=done.exit_code)
    step.notes = list(output.notes(done))
    if done.error is not None:
        log.debug("traceback", exc_info=done.error)
        step.outcome, step.text = FAILED, explain(done.error)
    return step


def _build(night: Night, warehouse: Warehouse, wanted: Wanted) -> None:
    if not wanted.build:
        return
    with _step(night, "build") as step:
        if reason := _no_build(warehouse):
            step.outcome, step.text = SKIPPED, reason
            return
        from conversync.build import build

        done = build(warehouse, wait=wanted.wait)
        step.text = f"{done.models} models, {done.tests_passed} tests"
        if done.models_left:
            step.text += f"; {done.models_left} models left as they were"
        if done.is_unchanged:
            step.text = f"nothing new: {step.text} stand"
        step.notes = [*done.failures, *done.warnings]
        step.exit_code = done.exit_code
        if done.failures:
            step.outcome = FAILED
            step.text += f"; {done.models_failed} models and {done.tests_failed} tests failed"


def _no_build(warehouse: Warehouse) -> str | None:
    """Why there is nothing to build with, if so."""
    from conversync.build.place import check

    try:
        check(warehouse)
    except SettingsError as missing:  # of a destination, or the extra: no failure of this night
        return str(missing)
    return None if warehouse.exists() else "there is no warehouse yet"


def _send_all(night: Night, warehouse: Warehouse, wanted: Wanted, log_format: str) -> None:
    """Every target that has an outbox in the settings (see conversync/send/options.py)."""
    if not wanted.send:
        return
    from conversync.send.options import options

    for name, target in targets().items():
        with _step(night, "send", name) as step:
            asked = options(name)
            if asked.outbox is None:
                continue
            if (
                reason := "send_enabled is false"
                if not asked.enabled
                else _not_safe(night, target, asked.outbox)
            ):
                step.outcome, step.text = SKIPPED, reason
                continue
            _send(step, warehouse, target, asked, wanted.wait, log_format)


def _not_safe(night: Night, target: Target, outbox: str) -> str | None:
    """Why a send is left for the next night, if so."""
    if night.failed("build"):
        return "the build failed, so it waits for the next night"
    failed = {step.what for step in night.failed("load")}
    rests_on = sources_of(outbox, target)
    if missing := sorted(failed & rests_on):
        return f"{', '.join(missing)} could not be loaded, so it waits for the next night"
    return None


def sources_of(outbox: str, target: Target) -> set[str]:
    """The sources whose tables an outbox reads; all of them, where it reads anything else, such as marts or a view."""
    from conversync.send.outbox import query_for

    datasets = {source.dataset for source in sources().values()}
    if (source := sources().get(outbox)) is not None:
        return {source.dataset}
    import sqlglot
    from sqlglot import exp

    try:
        found = sqlglot.parse_one(query_for(outbox, target), dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return datasets
    of_its_own = {one.alias for one in found.find_all(exp.CTE)}
    read = {one.db for one in found.find_all(exp.Table) if one.db or one.name not in of_its_own}
    return read if read and read <= datasets else datasets


def _send(
    step: Step, warehouse: Warehouse, target: Target, asked: Options, wait: float, log_format: str
) -> None:
    """The one place that knows the send engine."""
    from conversync.send import run, shown

    done = run.send(
        warehouse, target, asked, lambda _plan: None, shown.progress(target.name, log_format), wait
    )
    told = shown.fields(done)
    step.text = f"{told['sent']:,} sent"
    for name, words in (("rejected_new", "rejected"), ("in_doubt_new", "in doubt")):
        if told[name]:
            step.text += f", {told[name]:,} {words}"
    if told["taken_back"]:
        step.text += f", {told['taken_back']:,} taken back"
    step.notes = [f"{target.name}: {note}." for note in (*told["notes"], *told["looks"])]
    step.exit_code = done.exit_code
    if done.error is not None:
        step.outcome, step.text = FAILED, f"{step.text}; {explain(done.error)}"


def _forget(night: Night, warehouse: Warehouse, wanted: Wanted) -> None:
    """Of what was sent long ago, also by targets that send no more; it is told only if there was something."""
    with _step(night, "forget") as step, suppress(LockedError):
        from conversync.send.run import forget_old

        step.text = ". ".join(forget_old(warehouse, wanted.wait))


def _publish(night: Night, warehouse: Warehouse, wanted: Wanted) -> None:
    with _step(night, "publish") as step:
        path = publish(warehouse, wait=wanted.wait) if warehouse.exists() else None
        if path is None:
            step.outcome, step.text = SKIPPED, "no copy is wanted"
        else:
            step.text = near(path)


def _report(night: Night, warehouse: Warehouse, wanted: Wanted) -> None:
    if not wanted.report:
        return
    with _step(night, "report") as step:
        try:
            step.text = near(_write_report(warehouse))
        except (
            SettingsError
        ) as missing:  # the extra, or the marts that a build makes: no failure of this night
            step.outcome, step.text = SKIPPED, str(missing)


def _write_report(warehouse: Warehouse) -> Path:
    """The one place that knows the HTML report, which goes beside the copy for readers."""
    from conversync.report import write_report

    return write_report(warehouse, report_path(warehouse)).path


def near(path: Path) -> str:
    """A path as a person in this folder writes it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _alert(
    night: Night, warehouse: Warehouse, chosen: Sequence[Vendor], bounds: Limits, channels: alert.Channels
) -> None:
    """Tells of failures, and of what the warehouse shows. Whatever goes wrong here costs no exit code."""
    with _step(night, "alert") as step:
        night.problems = [_failure(one) for one in night.steps if one.exit_code not in (0, PARTIAL)]
        with suppress(LockedError, SettingsError):  # nothing to look at; the failure that says why is told
            night.problems += _health(warehouse, chosen, bounds)
        if not night.problems:
            step.text = "nothing to tell"
            return
        count = counted(len(night.problems), "problem")
        if not channels:
            step.outcome, step.text = SKIPPED, f"{count}, and nobody is told"
            step.notes = [f"{alert.NOWHERE[0].upper()}{alert.NOWHERE[1:]}"]
            return
        told = alert.document(warehouse, night.problems, exit_code=night.exit_code)
        failures = alert.deliver(told, channels)
        step.outcome, step.text = (FAILED, " ".join(failures)) if failures else (DONE, f"{count} told")
    step.exit_code = 0


def _health(warehouse: Warehouse, chosen: Sequence[Vendor], bounds: Limits) -> list[Problem]:
    with tempfile.TemporaryDirectory() as folder:
        health = look(warehouse, chosen, Path(folder), bounds=bounds)
    return [one for one in problems(health, bounds) if one.kind in alert.TOLD]


def _failure(step: Step) -> Problem:
    name = " ".join(part for part in (step.step, step.what) if part)
    return Problem("failure", step.what or step.step, f"{name}: {step.text}", {"exit_code": step.exit_code})
