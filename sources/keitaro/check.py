"""Whether the tracker can be reached and lets us in, which columns it knows, and whether it heeds the zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from conversync.extract.check_results import CheckResult, clock, newest_row
from conversync.extract.columns import now
from conversync.extract.guarantees import proved
from conversync.extract.lookback import in_use
from conversync.extract.rejected_days import Days
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import Window

from . import log, report
from .reading import CONVERSIONS, LOOKBACK, REPORT, Asking
from .settings import KeitaroSettings
from .tracker import Tracker, page

DAYS = 3


def check(settings: KeitaroSettings) -> Iterator[CheckResult]:
    """Asks for a few conversions and one group of the last days. Raises the errors of `conversync.errors`."""
    today = settings.today("conversions")
    window = Window(today.subtract(days=DAYS), today.add(days=1))
    with settings.tracker() as tracker:
        agreed = log.agree(tracker, window, settings.keitaro_columns or log.COLUMNS)
        shown = page(log.understand(agreed.answer, agreed), whole=True)
        seen = f"at least {shown.decoded.received}" if shown.total is None else f"{shown.total:,}"
        yield CheckResult(True, f"reached, and let in: {seen} conversions in the last {DAYS} days")
        yield from clock(agreed.answer)
        yield CheckResult(True, f"conversions are told apart by {agreed.sort}")
        if agreed.unknown:
            yield CheckResult(True, f"the tracker does not know the columns {', '.join(agreed.unknown)}")
        if shown.decoded.rejected:
            bad = shown.decoded.rejected
            yield CheckResult(False, f"{len(bad)} rows would be set aside: {bad[0].reason}")
        yield from _zone(tracker, window, agreed)
        heard = report.agree(tracker, window, settings.report(), settings.keitaro_zone)
        yield _report(heard)
        yield from _as_a_night(tracker, settings, agreed, heard)


def _as_a_night(
    tracker: Tracker, settings: KeitaroSettings, agreed: log.Agreed, heard: report.Agreed
) -> Iterator[CheckResult]:
    """Both streams over the widest range that a night asks for at once, whole, and what is guaranteed of them."""
    today = settings.today(CONVERSIONS)
    days = min(settings.keitaro_range_days - 1, in_use(settings, LOOKBACK, {}).days)
    window = Window(today.subtract(days=days), today)
    logged, reported = Days(CONVERSIONS, window), Days(REPORT, window)
    asking = Asking(tracker, settings, {}, [logged], lambda _received, _announced: None, None)
    with SpillFiles(key="conversion_id", latest="occurred_at") as spill_files:
        yield from proved(asking.conversions(agreed, spill_files, logged), CONVERSIONS)
    with SpillFiles(latest=report.DAY_COLUMN) as spill_files:
        yield from proved(asking.report(settings.report(), heard, spill_files, reported), REPORT)


def _zone(tracker: Tracker, window: Window, agreed: log.Agreed) -> Iterator[CheckResult]:
    """Whether the newest conversion is plausible, if its time is in the zone that was asked for."""
    times = [name for name in log.TIMES if name in agreed.columns]
    asked = log.question(window, agreed.columns, times[0] if times else None, log.SAMPLE, newest_first=True)
    rows = tracker.post(log.PATH, asked, lambda answer: log.understand(answer, agreed)).table
    instants = log.statements(rows, UTC)["occurred_at"].to_pylist()
    doubt = "the tracker may not heed the zone that it was asked for"
    yield from newest_row(instants, now(), "UTC", doubt, newest=bool(times))


def _report(agreed: report.Agreed) -> CheckResult:
    if agreed.left_out:
        return CheckResult(
            False, f"the report leaves out {', '.join(agreed.left_out)}: see keitaro_report_metrics"
        )
    return CheckResult(True, "the report gives every grouping and metric that is asked for")
