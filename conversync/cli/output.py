"""What a person or a log reads of a run: progress while it works, a table at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from conversync.build.report import BuildReport
from conversync.cli import logs, process, screen, terminal
from conversync.count_words import counted, noun, rows
from conversync.errors import ConversyncError
from conversync.extract.decoded import not_as_it_came, not_whole, told_apart
from conversync.http.redact import plain, redact
from conversync.load import Progress, SourceReport
from conversync.load_counts import StepReport
from conversync.types import Document

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID
    from rich.table import Table

    from conversync.cli.screen import Screen


class Lines:
    """A line a window, for cron and logs; JSON objects if asked for. A closed stream does not stop a run."""

    def __init__(self, stream: IO[str], log_format: str) -> None:
        self._stream = stream
        self._json = log_format == "json"

    def step(self, dataset: str, label: str) -> None:
        """Said when it is done."""

    def page(self, dataset: str, received: int, announced: int) -> None:
        """Too often for a line."""

    def done(self, dataset: str, label: str, step: StepReport) -> None:
        """One line for a committed window."""
        self.say(
            f"{dataset} {label}: {step.received:,} read, {step.added:,} new, {step.restated:,} restated",
            event="window",
            dataset=dataset,
            window=label,
            read=step.received,
            new=step.added,
            restated=step.restated,
            set_aside=step.rejected,
        )

    def say(self, text: str, **fields: object) -> None:
        """One line: the text, or the fields as JSON."""
        terminal.line_to(self._stream, json.dumps(fields) if self._json else plain(text))


class Bar:
    """A bar a source on a terminal: the rows of the window that is being read."""

    def __init__(self, bar: Bars, out: Screen) -> None:
        self._bar, self._screen = bar, out
        self._tasks: dict[str, TaskID] = {}

    def step(self, dataset: str, label: str) -> None:
        """Starts the source's bar anew for a window."""
        if dataset not in self._tasks:
            self._tasks[dataset] = self._bar.add_task("", total=None)
        self._bar.reset(self._tasks[dataset], description=f"{dataset} {label}", total=None)

    def page(self, dataset: str, received: int, announced: int) -> None:
        """Moves it."""
        self._bar.update(self._tasks[dataset], completed=received, total=announced or None)

    def done(self, dataset: str, label: str, step: StepReport) -> None:
        """A line above the bar for a committed window."""
        self._screen.say(f"{dataset} {label}: {step.received:,} read, {step.added:,} new", style="dim")


class Noted:
    """A progress that also notes what is committed, for the sentence of a run that is stopped."""

    def __init__(self, progress: Progress, *, begins_anew: bool = False) -> None:
        self._progress = progress
        self.step, self.page = progress.step, progress.page
        process.committed, process.begins_anew = {}, begins_anew

    def done(self, dataset: str, label: str, step: StepReport) -> None:
        """The window is committed."""
        self._progress.done(dataset, label, step)
        windows, received, _ = (process.committed or {}).get(dataset, (0, 0, ""))
        process.committed = {
            **(process.committed or {}),
            dataset: (windows + 1, received + step.received, label),
        }


@contextmanager
def progress(log_format: str) -> Iterator[Progress]:
    """A bar where standard error is a terminal, else lines there; what is waited for is told in the same way."""
    logs.speak(log_format)
    if log_format == "json" or not sys.stderr.isatty():
        yield Lines(sys.stderr, log_format)
        return
    out = screen.console(error=True)
    with screen.bars(out) as bar:
        yield Bar(bar, out)


def summary(reports: Sequence[SourceReport], warehouse: str, log_format: str) -> None:
    """The table at the end of a run, on standard output, with a sentence for everything that wants one.

    A source that failed before it read anything has its sentence, and no line of zeros.
    """
    if log_format == "json":
        sources = [_fields(report) for report in reports]
        terminal.emit({"event": "summary", "warehouse": warehouse, "sources": sources})
        return
    with suppress(OSError, ValueError):
        _table(reports, warehouse)


def built(report: BuildReport) -> None:
    """What a build came to, in a line; before it, a sentence for everything that failed."""
    for sentence in report.failures:
        terminal.say(sentence, error=True)
    for sentence in report.warnings:
        terminal.say(sentence)
    if report.is_unchanged:
        terminal.say(
            f"Nothing was written since the last build: its {report.models} models stand, of which "
            f"{report.tests_passed} tests passed, {report.seconds:.0f} s"
        )
        return
    left = f"{report.models_left} left as they were, " if report.models_left else ""
    terminal.say(
        f"{report.models} models built, {left}{report.tests_passed} tests passed, {report.tests_failed} failed, "
        f"{report.skipped} skipped, {report.seconds:.0f} s"
    )


def published(path: Path | None, log_format: str = "text") -> None:
    """Where the copy for readers is now."""
    if path is None:
        return
    if log_format == "json":
        terminal.emit({"event": "published", "path": str(path)})
    else:
        terminal.say(f"Published for readers: {path}")


def forgot(told: Iterable[str], log_format: str = "text") -> None:
    """What was removed because it is old."""
    for sentence in told:
        if log_format == "json":
            terminal.emit({"event": "forgotten", "text": sentence})
        else:
            terminal.say(f"{sentence}.")


def show_settings(dataset: str, settings: Iterable[tuple[str, str, str]]) -> None:
    """A table of settings: name, value (secrets are masked before they come here), origin."""
    screen.console().print(screen.table(("setting", "value", "from"), settings, unbroken=(0,), title=dataset))


def _fields(report: SourceReport) -> Document:
    return {
        "dataset": report.dataset,
        "exit_code": report.exit_code,
        "error": explain(report.error) if report.error else None,
        "read": report.total("received"),
        "new": report.total("added"),
        "reversals": report.total("reversals"),
        "restated": report.total("restated"),
        "set_aside_new": report.total("rejected_new"),
        "set_aside_known": report.known_rejected,
        "unknown_fields": dict(report.unknown_fields),
        "notes": report.notes,
        "seconds": round(report.seconds, 2),
    }


def _table(reports: Sequence[SourceReport], warehouse: str) -> None:
    out = screen.console()
    read = [report for report in reports if report.steps or report.error is None]
    if read:
        out.print(_figures(out, read))
    for report in reports:
        for line in notes(report):
            out.say(line)
    if read:
        out.say(f"Warehouse: {warehouse}")
    for report in reports:
        if report.error:
            terminal.say(failure(report), error=True)


def _figures(out: screen.Screen, read: Sequence[SourceReport]) -> Table:
    return figures(
        out,
        ("source", "read", "new", "reversals", "restated", "set aside"),
        ((report.dataset, _counts(report), report.seconds, report.error) for report in read),
    )


def _counts(report: SourceReport) -> list[int]:
    counts = [report.total(name) for name in ("received", "added", "reversals", "restated")]
    return [*counts, report.total("rejected_new") + report.known_rejected]


def figures(
    out: screen.Screen,
    heads: Sequence[str],
    lines: Iterable[tuple[str, Iterable[int], float, BaseException | None]],
) -> Table:
    """A line each for what was read or sent: its name, counts, seconds; in red where it failed.

    No figure and no word of a head is broken; where that does not fit on the screen, names are.
    """
    cells = [
        [
            screen.styled(text, "red" if error else "")
            for text in (name, *(f"{count:,}" for count in counts), f"{seconds:.1f}")
        ]
        for name, counts, seconds, error in lines
    ]
    return screen.fitted(out, (*heads, "seconds"), cells)


def notes(report: SourceReport) -> Iterator[str]:
    """A sentence for everything in a report that a person should look at."""
    new, known = report.total("rejected_new"), report.known_rejected
    query = f"select window_start, reason, raw from {report.dataset}.rejected_rows order by last_seen desc"
    if new:
        yield (
            f"{report.dataset}: {rows(new)} newly set aside, everything else is loaded. See: {query}; nights ask for "
            "them again for 31 days, so what the vendor mends until then comes by itself; for rows that it mends "
            f"later, load those days: conversync load {report.dataset} --from DAY --to DAY"
        )
    if known:
        stay = noun(known, "stays", "stay")
        yield f"{report.dataset}: {rows(known)} known from earlier {stay} aside. See: {query}"
    yield from _of_fields(report)
    for note in report.notes:
        yield f"{report.dataset}: {note}."


def _of_fields(report: SourceReport) -> Iterator[str]:
    """What became of fields that are new to us, that cannot be stored as they came, or that are too long."""
    noted = report.unknown_fields
    told = told_apart(noted)
    if told.altered:
        fields = ", ".join(f"{name} ({rows(noted[not_as_it_came(name)])})" for name in told.altered)
        yield (
            f"{report.dataset}: {fields} could not be stored as it came: a character that no database "
            "takes is U+FFFD, an amount has six decimals; what came stands in the column extra."
        )
    if told.not_whole:
        fields = ", ".join(f"{name} ({rows(noted[not_whole(name)])})" for name in told.not_whole)
        yield (
            f"{report.dataset}: {fields} is not held whole: in a row of more than 8 KB, fields that are new to us are "
            "left out, and texts are cut to 200 characters; ids and amounts are as they came."
        )
    for name in told.new:
        count = rows(noted[name])
        yield f'{report.dataset}: the field "{name}" is new to us; it is kept in the column extra ({count}).'


def failure(report: SourceReport) -> str:
    """What a source failed with, and what of it is loaded all the same."""
    assert report.error is not None  # noqa: S101 - asked of failed ones only
    done = len(report.steps)
    before = f"{counted(done, 'window')} before it {noun(done, 'is', 'are')}"
    after = process.BEGUN_AGAIN if report.begins_anew else "the next run goes on there"
    loaded = f" {before} loaded; {after}." if done else ""
    return f"conversync: {report.dataset}: {explain(report.error)}{loaded}"


def explain(error: BaseException) -> str:
    """The sentence of an error of ours; of any other its kind, for it may quote what must not be shown."""
    if isinstance(error, ConversyncError):
        return plain(redact(str(error)))
    return f"failed with an unexpected {type(error).__name__}; run it with --debug for the traceback, and report it."
