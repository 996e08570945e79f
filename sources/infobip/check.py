"""Whether every pair of the settings can be read, with the name and password that are set."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.errors import RequestRejectedError
from conversync.extract.check_results import CheckResult, clock
from conversync.extract.windows import Window
from conversync.http.client import Response

from . import InfobipSettings
from .asking import Question

DAYS = 3


def check(settings: InfobipSettings) -> Iterator[CheckResult]:
    """Asks each pair for its last days. Raises the errors of `conversync.errors`, but for a pair that is refused."""
    today, access = settings.today(), settings.access()
    window = Window(today.subtract(days=DAYS), today)
    heard: list[Response] = []
    with access.client(settings.http_budget) as client:
        for pair in settings.pairs():
            try:
                rows = access.ask(client, Question(pair, window), today, heard.append)
            except RequestRejectedError as error:
                yield CheckResult(False, str(error).rstrip("."))
                continue
            starts, ends = (sum(row[name] for row in rows.good) for name in ("start_count", "end_count"))
            yield CheckResult(True, f"{pair}: {starts:,} starts and {ends:,} ends in the last {DAYS} days")
            if rows.rejected:
                yield CheckResult(
                    False, f"{pair}: {len(rows.rejected)} rows would be set aside: {rows.rejected[0].reason}"
                )
    if heard:
        yield from clock(heard[0])
    yield CheckResult(
        True,
        "whether a day came whole is not provable: the vendor announces no number of rows; each is read again for "
        f"{settings.infobip_lookback_days} days",
    )
