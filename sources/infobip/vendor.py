"""A run of Infobip: window after window, all pairs that are due for the same days together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from conversync.count_words import counted
from conversync.extract.windows import Window, asked_parts
from conversync.monitor import views as health
from conversync.settings.questions import Questions
from conversync.types import Restored
from conversync.vendors import InReport, LoadRequest, OnPage, Step, Vendor, divided, old_days

from . import STREAMS, infobip, plan, stream_of
from .check import check
from .late import LATE
from .messages import Messages
from .pairs import Pair
from .reading import Known
from .reconcile import RECONCILE
from .settings import InfobipSettings
from .tables import LEDGERS, TABLES
from .targets import Logs, Processes, Tags

if TYPE_CHECKING:
    from conversync.report.parts import Section


def steps(state: Restored, settings: InfobipSettings, asked: LoadRequest) -> Iterator[Step]:
    """The windows, oldest first; the trailing 30 days with the last one, unless days were asked for.

    Last the old days on which rows may have been mended, in one commit.
    """
    due, again = divided(plan(state, settings, asked.start, asked.end))
    known = Known()
    for window, pairs, _ in due:
        reads = {stream_of(name, pair): pair.cursor for pair in pairs for name in STREAMS}
        for part in asked_parts(window, asked.window_days, asked.shard):
            trailing = part.end == window.end and not asked.start
            read = partial(_read, part, pairs, trailing, known)
            yield Step(f"{_count(pairs)} {part}", read, days=part, of=window, reads=reads)
    if again:
        label = old_days((_count(pairs), window) for window, pairs, _ in again)
        yield Step(label, lambda on_page: infobip(again=again, on_page=on_page, known=known), is_extra=True)


def _count(pairs: list[Pair]) -> str:
    return counted(len(pairs), "pair")


def _read(window: Window, pairs: list[Pair], trailing: bool, known: Known, on_page: OnPage) -> Any:
    return infobip(window.start, window.end, pairs=pairs, trailing=trailing, on_page=on_page, known=known)


def views(settings: InfobipSettings) -> dict[str, str]:
    """What is known of the days of each pair, and whether the settings still name it; they may name none any more."""
    named = health.among(map(str, settings.pairs() if settings.infobip_pairs else ()))
    return health.days("'UTC'", current=f"substr(w.stream, strpos(w.stream, ' ') + 1) in {named}")


def _ask_pairs(questions: Questions) -> list[dict[str, str]]:
    """The pairs of tags, one after the other."""
    found: list[dict[str, str]] = []
    while process := questions.value("infobip process_key", secret=False):
        tags = {name: questions.value(name, secret=False) for name in ("start_tag", "end_tag")}
        found.append({"process_key": process, **{name: tag for name, tag in tags.items() if tag}})
        if not questions.again("pair"):
            break
    return found


def _sections() -> Sequence[Section]:
    from .report import SECTIONS

    return SECTIONS


VENDOR = Vendor(
    name="infobip",
    title="Infobip",
    says="How many users go from one tag of an SMS process to another, and how fast. Days are UTC.",
    reconcile=RECONCILE,
    source=infobip,
    targets=(Processes(), Tags(), Logs(), Messages()),
    settings=InfobipSettings,
    steps=steps,
    check=check,
    views=views,
    tables=TABLES,
    lookbacks=[LATE],
    in_shards=True,
    ledgers=LEDGERS,
    questions={"infobip_pairs": _ask_pairs},
    account=("infobip_username",),
    in_report=InReport("teal", sections=_sections),
)
