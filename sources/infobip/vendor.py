"""A run of Infobip: window after window, all pairs that are due for the same days together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from conversync.extract.windows import Window, split_window
from conversync.monitor import views as health
from conversync.vendors import LoadRequest, OnPage, Step, Vendor, divided, old_days

from . import InfobipSettings, infobip, plan
from .check import check
from .messages import Messages
from .pairs import Pair
from .targets import Logs, Processes, Tags


def steps(state: Mapping[str, Any], settings: InfobipSettings, asked: LoadRequest) -> Iterator[Step]:
    """The windows, oldest first; the trailing 30 days with the last one, unless days were asked for.

    Last the old days on which rows may have been mended, in one commit.
    """
    due, again = divided(plan(state, settings, asked.start, asked.end))
    for window, pairs, _ in due:
        for part in split_window(window, asked.window_days):
            trailing = part.end == window.end and not asked.start
            yield Step(f"{_count(pairs)} {part}", partial(_read, part, pairs, trailing))
    if again:
        label = old_days((_count(pairs), window) for window, pairs, _ in again)
        yield Step(label, lambda on_page: infobip(again=again, on_page=on_page), is_extra=True)


def _count(pairs: list[Pair]) -> str:
    return "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"


def _read(window: Window, pairs: list[Pair], trailing: bool, on_page: OnPage) -> Any:
    return infobip(window.start, window.end, pairs=pairs, trailing=trailing, on_page=on_page)


def views(settings: InfobipSettings) -> dict[str, str]:
    """What is known of the days of each pair, and whether the settings still name it; they may name none any more."""
    named = health.among(map(str, settings.pairs() if settings.infobip_pairs else ()))
    return health.days("'UTC'", current=f"substr(w.stream, strpos(w.stream, ' ') + 1) in {named}")


VENDOR = Vendor(
    name="infobip",
    title="Infobip",
    source=infobip,
    targets=(Processes(), Tags(), Logs(), Messages()),
    settings=InfobipSettings,
    steps=steps,
    check=check,
    views=views,
    statements={},
    days={"conversion_rates": "day"},
    account=("infobip_username",),
    own=frozenset({"processes", "tags"}),
)
