"""All that is asked of some pairs and days: what came, and what the vendor would not give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from conversync.count_words import counted
from conversync.errors import VendorError
from conversync.extract.isolated_requests import Standing, outcome
from conversync.extract.mistrusted import AND_THEN, bare
from conversync.extract.parallel import ordered_parallel_map
from conversync.extract.windows import DAY, Window
from conversync.http.client import Client

from .asking import Access, Question, questions
from .pairs import Pair
from .statistics import Rows, frames

# The document names no rate limit, and a 429; a window of a month is 33 small questions.
CONCURRENCY = 4
# In so many places is looked whether the vendor is there, before what it fails at is taken for its silence.
ELSEWHERE = 3
# So many smaller questions are tried in one commit for the days of those that were failed at.
MOST_SMALLER = 60


@dataclass(frozen=True)
class Todo:
    """A pair and the days that it is to be read of; `again`: old days, beside what is due."""

    pair: Pair
    window: Window
    again: bool = False


@dataclass
class Known:
    """What was answered in a run, whichever of its windows brought it."""

    question: Question | None = None


@dataclass
class Found:
    """What came of one pair's days for one table: `rows`, an answer each; `lacking` are the days of which none came."""

    rows: list[Rows] = field(default_factory=list)
    lacking: list[Window] = field(default_factory=list)
    error: VendorError | None = None

    def lack(self, days: Window, error: VendorError) -> None:
        """Of these days nothing came, for that reason."""
        self.lacking.append(days)
        self.error = self.error or error

    @property
    def missing(self) -> int:
        """So many rows did not come."""
        return sum(days.days for days in self.lacking)

    def note(self, what: str) -> str | None:
        """What is lacking, as a sentence; None where nothing is."""
        if self.error is None:
            return None
        days = Window(min(days.start for days in self.lacking), max(days.end for days in self.lacking))
        shown = days if days.start < days.end else days.start
        return (
            f"{what} is short by {counted(self.missing, 'row')} on {shown}: "
            f"{bare(self.error).rstrip('.')}. What came is loaded, and the days are read again next time; "
            f"{AND_THEN}, which answered for others"
        )


class Reading:
    """Asks all questions of some pairs and days, the failed ones by smaller ones, as far as that goes."""

    def __init__(self, access: Access, client: Client, today: date, known: Known) -> None:
        self._ask = partial(access.ask, client, today=today)
        self._client = client
        self._known = known
        self._smaller = MOST_SMALLER

    def read(
        self, todo: Sequence[Todo], *, trailing: bool, on_page: Callable[[int, int], None]
    ) -> dict[tuple[Todo, str], Found]:
        """By what was to be read and by table. Raises what a vendor is answered by that answers nothing else either."""
        asked = [
            (one, question)
            for one in todo
            for question in questions(one.pair, one.window, trailing=trailing and not one.again)
        ]
        standing = Standing(
            self._client, partial(self._is_there, todo), is_known=self._known.question is not None
        )
        found: dict[tuple[Todo, str], Found] = {}
        failed: list[tuple[Found, Question, VendorError]] = []
        replies = ordered_parallel_map(partial(outcome, self._ask), [one for _, one in asked], CONCURRENCY)
        for number, ((one, question), reply) in enumerate(zip(asked, replies, strict=True), start=1):
            place = found.setdefault((one, question.stream), Found())
            if not standing.heard(reply):
                failed.append((place, question, reply))  # type: ignore[arg-type]  # no answer is an error
                continue
            self._known.question = question
            place.rows.append(reply)  # type: ignore[arg-type]
            on_page(number, len(asked))
        for place, question, error in failed:
            self._take_apart(place, question, error)
        return found

    def _is_there(self, todo: Sequence[Todo]) -> bool:
        """Whether the vendor answers what it answered before; else, other days and other pairs."""
        known = self._known.question
        places = [known] if known else list(_elsewhere(todo))[:ELSEWHERE]
        answered = next((one for one in places if not isinstance(outcome(self._ask, one), VendorError)), None)
        self._known.question = answered or known
        return answered is not None

    def _take_apart(self, place: Found, question: Question, error: VendorError) -> None:
        """The days of a window, in halves down to one; an average is of its own days, and no smaller one says it."""
        window = question.window
        if question.frame is not None:
            place.lack(question.days, error)
        elif window.days == 1 or self._smaller < 2:
            place.lack(window, error)
        else:
            self._smaller -= 2
            for half in window.halves():
                smaller = Question(question.pair, half)
                reply = outcome(self._ask, smaller)
                if isinstance(reply, VendorError):
                    self._take_apart(place, smaller, reply)
                else:
                    place.rows.append(reply)


def _elsewhere(todo: Sequence[Todo]) -> Iterator[Question]:
    """Small questions, each in another place: of every pair the day before its days, in turns with the last of them."""
    places = dict.fromkeys((one.pair, one.window) for one in todo)
    for pair, window in reversed(places):
        for day in (window.start - DAY, window.end):
            alone = Window(day, day)
            yield Question(pair, alone, frames(alone, trailing=False)[0])
