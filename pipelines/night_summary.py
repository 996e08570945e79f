"""What a person or a log reads of a night: a line a step, then a sentence for everything that wants one."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict

from pipelines.health.shown import grid, screen, write
from pipelines.nightly import FAILED, SKIPPED, Night, Step


def show(night: Night) -> None:
    """The table on standard output; failures once more on standard error, for cron's mail."""
    with suppress(OSError, ValueError):
        out = screen()
        out.print(grid(("step", "", "outcome", "seconds"), (_line(one) for one in night.steps), right=(3,)))
        for step in night.steps:
            for note in step.notes:
                out.print(note, markup=False)
        for problem in night.problems:
            if problem.kind != "failure":
                out.print(f"LOOK  {problem.text}", markup=False, style="yellow")
        out.print(f"Warehouse: {night.warehouse}", markup=False)
    for step in night.steps:
        if step.outcome == FAILED:
            with suppress(OSError, ValueError):
                sys.stderr.write(
                    f"conversync: {' '.join(filter(None, (step.step, step.what)))}: {step.text}\n"
                )


def show_json(night: Night) -> None:
    """One object on one line."""
    steps = [{**asdict(step), "seconds": round(step.seconds, 2)} for step in night.steps]
    found = [problem.fields() for problem in night.problems]
    said = {"event": "nightly", "warehouse": night.warehouse, "exit_code": night.exit_code}
    write(json.dumps({**said, "steps": steps, "problems": found}))


def _line(step: Step) -> tuple[str, str, str, str]:
    outcome = step.text
    if step.outcome == FAILED:
        outcome = f"[red]FAILED[/red] (exit code {step.exit_code})" if step.exit_code else "[red]FAILED[/red]"
    elif step.outcome == SKIPPED:
        outcome = f"[dim]skipped: {_plain(step.text)}[/dim]"
    elif step.step in {"publish", "report"}:
        outcome = _plain(step.text)
    return step.step, _plain(step.what), outcome, f"{step.seconds:.1f}"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
