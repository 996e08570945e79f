"""Says what is waited for and until when: on the logger `conversync.waiting`, as a warning.

Where nobody set logging up, Python prints it to standard error: a script without the command is told, too. A record's
`told` has the same as fields: `event`, `vendor`, `why`, `until` (ISO, UTC), `at_most` (seconds in all, or null),
`status`.
"""

from __future__ import annotations

import logging
import threading
import time

import pendulum
from pendulum import DateTime

from conversync.errors import VendorError
from conversync.span_words import words

log = logging.getLogger("conversync.waiting")

# The same wait is told again after so many seconds.
AGAIN_AFTER = 60.0


class Teller:
    """One vendor's; waits shorter than `worth_a_line` seconds are nobody's concern.

    Any number of threads may share it: they wait for the same. `told` is when each wait was told last, by the
    monotonic clock: who hands it on from one to the next has no wait told twice.
    """

    def __init__(self, vendor: str, worth_a_line: float, told: dict[str, float] | None = None) -> None:
        self._vendor = vendor
        self._worth_a_line = worth_a_line
        self._lock = threading.Lock()
        self._told: dict[str, float] = {} if told is None else told

    def no_answer(self, what: str, left: float, budget: float | None) -> None:
        """A request is under way for as long as is worth a line; it is waited for `left` seconds at most.

        `budget` are the seconds in all, repeats included; None for a request that is made once.
        """
        why, until = f"{self._vendor} has not answered {what} yet", _moment(left)
        text = f"{why}; waiting until {_clock(until)} at the latest"
        in_all = "" if budget is None else f", {_span(max(budget, left))} in all"
        self._say(_kind(None, sent=True), text + in_all, why, until, budget, None)

    def held_up(self, error: VendorError, seconds: float, waited: float, budget: float) -> None:
        """A request is asked for again after `seconds`; so far `waited` of the `budget` are used up."""
        if seconds + waited < self._worth_a_line:
            return
        why = str(error).rpartition(": ")[0] or str(error)
        if error.retry_after:
            until = _moment(seconds)
            text = f"{why}; waiting until {_clock(until)}, at most {_span(budget)} in all"
        else:
            until = _moment(budget - waited)
            text = f"{why}; asking again until {_clock(until)} at the latest, {_span(budget)} in all"
        self._say(_kind(error.status, sent=error.sent), text, why, until, budget, error.status)

    def out_of_quota(self, seconds: float, limit: str) -> None:
        """The vendor told beforehand that no request is left, for so many seconds."""
        if seconds >= self._worth_a_line:
            why = f"{self._vendor} takes no more requests for now" + (
                f" (its limit is {limit[:20]})" if limit else ""
            )
            until = _moment(seconds)
            self._say("quota", f"{why}; waiting until {_clock(until)}", why, until, None, None)

    def _say(
        self, kind: str, text: str, why: str, until: DateTime, budget: float | None, status: int | None
    ) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._told.get(kind, -AGAIN_AFTER) < AGAIN_AFTER:
                return
            self._told[kind] = now
        at = until.isoformat(timespec="seconds")
        fields = {
            "event": "waiting",
            "vendor": self._vendor,
            "why": why,
            "until": at,
            "at_most": budget,
            "status": status,
        }
        log.warning("%s", text, extra={"told": fields})


def _kind(status: int | None, *, sent: bool) -> str:
    """What makes a wait another one: what was answered last, or whether anything was to be heard at all."""
    return f"{status}" if sent else "no connection"


def _moment(seconds: float) -> DateTime:
    return pendulum.now("UTC") + pendulum.duration(seconds=seconds)


def _clock(moment: DateTime) -> str:
    return (
        f"{moment:HH:mm:ss} UTC"
        if moment.is_same_day(pendulum.now("UTC"))
        else f"{moment:YYYY-MM-DD HH:mm:ss} UTC"
    )


def _span(seconds: float) -> str:
    return words(pendulum.duration(seconds=seconds))
