"""Which days a source's loads set out to read, by listing: of what a killed one did not come to, only this tells.

Noted in the source's state, committed with the first rows of such a load, and put into its view `days` (see
conversync/monitor/sql/days.sql), where days that no reading covers are days that were never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from conversync.extract.windows import APART, Window, day
from conversync.types import Pipeline, Restored
from conversync.vendors import LoadRequest, Step, Vendor

KEY = "planned"
# By listing, ranges of days of which the last one is asked for and not covered.
Planned = dict[str, list[Window]]
# What the view takes a listing's planned days from; without a load that says otherwise there are none.
NOTHING = (
    "select cast(null as varchar) as stream, cast(null as date) as first_day, cast(null as date) as last_day\n"
    "    from digits where n < 0"
)


def note(
    pipeline: Pipeline, vendor: Vendor, steps: Iterable[Step], asked: LoadRequest, state: Restored
) -> Planned:
    """What these steps set out to read, and what earlier runs did; of days that a person asked for, shards alone.

    What is due is put into the source's state, to be committed with the next rows, until the cursor has passed it: so a
    night changes nothing. Ranges that are read in shards are there until all of one is read (`windows.pass_over`).
    """
    found: dict[str, list[str]] = {}
    due = dict(state.get(KEY, {}))
    for step, stream, cursor in _listings(steps):
        progress = state.get(cursor, {})
        if not (asked.start or asked.end):
            due |= _due(stream, due.get(stream), str(step.of), progress.get("through"))
        found.setdefault(stream, []).extend(
            [*progress.get(APART, ()), *([str(step.of)] if asked.shard else [])]
        )
    if due != state.get(KEY, {}):
        with pipeline.managed_state() as kept:
            kept.setdefault("sources", {}).setdefault(vendor.name, {})[KEY] = due
    for stream, text in due.items():
        found.setdefault(stream, []).append(text)
    return {stream: [_window(text) for text in dict.fromkeys(texts)] for stream, texts in found.items()}


def _listings(steps: Iterable[Step]) -> Iterator[tuple[Step, str, str]]:
    """Each listing of each step that reads days, with its cursor's name."""
    return ((step, *one) for step in steps if step.of for one in step.reads.items())


def _due(stream: str, noted: str | None, text: str, through: str | None) -> dict[str, str]:
    """The days that were due at first; those of a later load, from the same first day on, until all are read."""
    if noted is None:
        return {stream: text}
    first, _, last = noted.partition(" .. ")
    return {} if through and through >= last else {stream: f"{first} .. {text.partition(' .. ')[2]}"}


def shown(views: Mapping[str, str], planned: Planned) -> dict[str, str]:
    """The views, of which those that ask for planned days have these, the last of each left out."""
    rows = [_row(stream, one) for stream, own in sorted(planned.items()) for one in own if one.days > 1]
    query = "\n    union all ".join(rows) or NOTHING
    return {name: view.replace(NOTHING, query) for name, view in views.items()}


def _window(text: str) -> Window:
    return Window(*(day(end, KEY) for end in text.split(" .. ")))


def _row(stream: str, window: Window) -> str:
    name = stream.replace("'", "''")
    last = window.end - timedelta(days=1)
    return (
        f"select cast('{name}' as varchar) as stream, cast('{window.start}' as date) as first_day, "
        f"cast('{last}' as date) as last_day"
    )
