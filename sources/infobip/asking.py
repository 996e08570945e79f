"""One question to the vendor and what its answer comes to."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from conversync.errors import RequestRejectedError
from conversync.extract.windows import DAY, Window
from conversync.http.client import Client, Limits, Response

from . import statistics
from .pairs import Pair
from .refusals import CREDENTIALS_HINT, of_pair, refuse_refusal
from .statistics import AVERAGE, BY_DATE, Frame, Rows


class Question(NamedTuple):
    """One request: the days of a pair by date (`frame` None), or one average."""

    pair: Pair
    window: Window
    frame: Frame | None = None

    @property
    def stream(self) -> str:
        """The table that takes the answer."""
        return "conversion_times" if self.frame else "conversion_rates"

    @property
    def days(self) -> Window:
        """Those whose row the answer is: of an average the day on which it begins, of the trailing ones the last."""
        if self.frame is None:
            return self.window
        whole_day = self.frame.start_to - self.frame.start_from == DAY
        day = self.frame.start_from.date() if whole_day else self.window.end
        return Window(day, day)

    @property
    def params(self) -> dict[str, str]:
        """The query: the tags that are set, and every date."""
        dates = self.frame.params if self.frame else statistics.by_date_params(self.window)
        return {**self.pair.tags, **dates}


def questions(pair: Pair, window: Window, *, trailing: bool) -> Iterator[Question]:
    """All that is asked about a pair: its days by date, then the average of each, and of the trailing 30."""
    yield Question(pair, window)
    for frame in statistics.frames(window, trailing=trailing):
        yield Question(pair, window, frame)


@dataclass(frozen=True)
class Access:
    """Who asks, and where."""

    url: str
    username: str
    password: str

    @property
    def basic(self) -> str:
        """Username and password as the header carries them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def client(self, budget: int) -> Client:
        """The connection to the vendor. It wants Content-Type on a GET too, or answers with a general error."""
        return Client(
            self.url,
            vendor="Infobip",
            headers={"Authorization": f"Basic {self.basic}", "Content-Type": "application/json"},
            credentials_hint=CREDENTIALS_HINT,
            credential="username and password",
            limits=Limits(http_budget=budget),
        )

    def ask(
        self,
        client: Client,
        question: Question,
        today: date,
        listen: Callable[[Response], object] = lambda _answer: None,
    ) -> Rows:
        """The rows of one answer; `listen` is told it as it came. Raises the errors of `conversync.errors`."""
        pair, window, frame = question

        def understand(answer: Response) -> Rows:
            refuse_refusal(answer)
            listen(answer)
            if frame is not None:
                return statistics.times(answer, pair, frame, today)
            return statistics.rates(answer, pair, window)

        path = pair.path(AVERAGE if frame else BY_DATE)
        try:
            return client.request("GET", path, params=question.params, decode=understand, accept=(404,))
        except RequestRejectedError as refusal:
            raise of_pair(refusal, str(pair)) from None
