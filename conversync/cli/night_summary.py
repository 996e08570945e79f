"""What a person or a log reads of a night: a line a step, then a sentence for everything that wants one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from conversync.cli import terminal
from conversync.nightly import FAILED, SKIPPED, Night, Step

if TYPE_CHECKING:
    from rich.text import Text


def show(night: Night) -> None:
    """The table on standard output; failures once more on standard error, for cron's mail."""
    with suppress(OSError, ValueError):
        out = terminal.screen()
        lines = (_line(one) for one in night.steps)
        out.print(terminal.table(("step", "", "outcome", "seconds"), lines, right=(3,), is_narrow=True))
        for step in night.steps:
            for note in step.notes:
                out.say(note)
        for problem in night.problems:
            if problem.kind != "failure":
                out.say(f"LOOK  {problem.text}", style="yellow")
        out.say(f"Warehouse: {night.warehouse}")
    for step in night.steps:
        if step.outcome == FAILED:
            terminal.say(
                f"conversync: {' '.join(filter(None, (step.step, step.what)))}: {step.text}", error=True
            )


def show_json(night: Night) -> None:
    """One object on one line."""
    steps = [{**asdict(step), "seconds": round(step.seconds, 2)} for step in night.steps]
    found = [problem.fields() for problem in night.problems]
    said = {"event": "nightly", "warehouse": night.warehouse, "exit_code": night.exit_code}
    terminal.emit({**said, "steps": steps, "problems": found})


def _line(step: Step) -> tuple[str | Text, ...]:
    outcome: str | Text = step.text
    if step.outcome == FAILED:
        code = f" (exit code {step.exit_code})" if step.exit_code else ""
        outcome = terminal.styled("FAILED", "red").append(code, style="default")
    elif step.outcome == SKIPPED:
        outcome = terminal.styled(f"skipped: {step.text}", "dim")
    return step.step, step.what, outcome, f"{step.seconds:.1f}"
