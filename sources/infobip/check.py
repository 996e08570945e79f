"""Whether every pair of the settings can be read, with the name and password that are set."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.errors import RequestRejectedError, VendorError
from conversync.extract.check_results import CheckResult, clock
from conversync.extract.effort import MOST_IN_SILENCE
from conversync.extract.isolated_requests import outcome
from conversync.extract.lookback import InUse, in_use
from conversync.extract.windows import Window
from conversync.http.client import Response

from .asking import Question
from .pairs import Pair
from .settings import InfobipSettings
from .statistics import Rows
from .tables import LOOKBACK

DAYS = 3


def _read(pair: Pair, rows: Rows) -> Iterator[CheckResult]:
    starts, ends = (sum(row[name] for row in rows.good) for name in ("start_count", "end_count"))
    yield CheckResult(True, f"{pair}: {starts:,} starts and {ends:,} ends in the last {DAYS} days")
    if rows.rejected:
        yield CheckResult(
            False, f"{pair}: {len(rows.rejected)} rows would be set aside: {rows.rejected[0].reason}"
        )


def check(settings: InfobipSettings) -> Iterator[CheckResult]:
    """Asks each pair for its last days. Raises the errors of `conversync.errors`, but for a pair that is refused.

    So for one that is failed at while others are answered.
    """
    today, access = settings.today(), settings.access()
    window = Window(today.subtract(days=DAYS), today)
    heard, failed, is_there = list[Response](), dict[Pair, VendorError](), False
    with access.client(settings.http_budget) as client:
        for pair in settings.pairs():
            rows = outcome(lambda one: access.ask(client, one, today, heard.append), Question(pair, window))
            if isinstance(rows, RequestRejectedError):
                yield CheckResult(False, str(rows).rstrip("."))
                continue
            if isinstance(rows, VendorError):
                client.hurried = True
                failed[pair] = rows
                if len(failed) > MOST_IN_SILENCE and not is_there:
                    break
                continue
            is_there = True
            yield from _read(pair, rows)
    if failed and not is_there:
        raise next(iter(failed.values()))
    for pair, error in failed.items():
        yield CheckResult(False, f"{pair}: {str(error).rstrip('.')}")
    if heard:
        yield from clock(heard[0])
    yield CheckResult(True, _not_provable(in_use(settings, LOOKBACK, {})))


def _not_provable(lookback: InUse) -> str:
    again = f"{lookback.days} days" + (", until more is measured" if lookback.is_auto else "")
    return (
        "whether a day came whole is not provable: the vendor announces no number of rows; each is read again for "
        f"{again}"
    )
