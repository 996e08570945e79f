"""Infobip's endpoints: two statistics, and what creates processes, tags, logs and tracked messages."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import Any

from conversync.sandbox.infobip.errors import Refused
from conversync.sandbox.infobip.instants import read, shown
from conversync.sandbox.infobip.oracle import Oracle, Pair
from conversync.sandbox.infobip.processes import Passings, Tag, Told, hex_key, told_by
from conversync.sandbox.infobip.receiving import WORDS, Desk, Received, body_of
from conversync.sandbox.infobip.statistics import Count, Frame, by_day, count, in_unit
from conversync.sandbox.infobip.variants import Variants
from conversync.sandbox.messages import Answer, Raw, Request, json_answer
from conversync.sandbox.world import World

PROCESS = "conversion-rate/process"
OUTBOUND = "smsmessaging/outbound/"

Scripted = Mapping[str, Any] | str
"""A row or document to serve: an object, or JSON text that goes out verbatim."""


class Infobip:
    """Answers under `/1/conversion-rate/process` and `/1/smsmessaging/outbound/`.

    `variants`, `rows` and `average` may be set at any time, between requests.
    """

    name = "infobip"

    def __init__(
        self,
        world: World,
        *,
        username: str = "Aladdin",
        password: str = "open sesame",  # noqa: S107 - opens nothing but this sandbox
        variants: Variants | None = None,
    ) -> None:
        self.world = world
        self.username = username
        self.password = password
        self.variants = variants or Variants()
        self.rows: Sequence[Scripted] | None = None
        """Scripted `conversionRates` for every pair, in place of the world's; of objects those come whose
        `startTimeFrame` begins in the window."""
        self.average: Scripted | None = None
        """A scripted answer of average-conversion-rate."""
        self._requests = 0
        self._lock = threading.RLock()
        self._cached: tuple[object, Passings] | None = None

    @cached_property
    def _told(self) -> Told:
        return told_by(self.world)

    @cached_property
    def desk(self) -> Desk:
        """Where processes, tags and logs are kept; `desk.next_keys` are the keys to give out next."""
        return Desk(self.world, self._told, hex_key(f"account {self.username}"))

    @property
    def received(self) -> list[Received]:
        """Everything that was created, logged and sent, in order."""
        return self.desk.received

    @property
    def pairs(self) -> list[dict[str, str]]:
        """The pairs of the world worth reading, as the setting `infobip_pairs` has them."""
        games, deals = self._told.processes
        pairs = ((games, "START", "END"), (games, "START", "CODE"), (deals, "START", "END"))
        return [{"process_key": one.key, "start_tag": start, "end_tag": end} for one, start, end in pairs]

    @property
    def oracle(self) -> Oracle:
        """What must be held of the world and of what was logged. It knows nothing of scripted rows."""
        return Oracle(
            self._passings,
            self._tags,
            lambda: (list(self.desk.processes.values()), list(self.desk.tags.values())),
            self.variants,
        )

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that is another vendor's."""
        path = request.path.removeprefix("/1/")
        if path == request.path and not (self.variants.bare_paths and path.startswith("/conversion-rate/")):
            return None
        path = path.lstrip("/")
        if not path.startswith((PROCESS, OUTBOUND)):
            return None
        with self._lock:
            self._requests += 1
            try:
                self._admit(request)
                return json_answer(200, self._answered(request, path))
            except Refused as refused:
                return refused.answer

    def _admit(self, request: Request) -> None:
        """Who asks, whether too often, and in which language."""
        given = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {given}":
            raise Refused(401, "UNAUTHORIZED", "Invalid login details.")
        if self.variants.limited_every and self._requests % self.variants.limited_every == 0:
            raise Refused(429, "TOO_MANY_REQUESTS", "Rate limiting has been applied.")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not content_type:
            raise Refused(400, "GENERAL_ERROR", "General error")
        if content_type != "application/json":
            raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "The sandbox speaks JSON alone.", content_type)

    def _answered(self, request: Request, path: str) -> object:
        match (request.method, *path.split("/")[1:]):
            case ("POST", "process"):
                return self.desk.create_process(body_of(request.body), self.variants)
            case ("POST", "process", key, "tag"):
                return self.desk.create_tag(key, body_of(request.body), self.variants)
            case ("POST", "process", key, "log"):
                return self.desk.log(key, body_of(request.body), self.variants)
            case ("GET", "process", key, "statistics", "conversion-rate"):
                return self._by_date(key, request.query)
            case ("GET", "process", key, "statistics", "average-conversion-rate"):
                return self._average(key, request.query)
            case ("POST", "outbound", sender, "requests"):
                root = self.variants.links_root or f"http://{request.headers.get('host', '127.0.0.1')}"
                return self.desk.send(sender, body_of(request.body), self.variants, root)
            case ("GET", "outbound", sender, "requests", correlator, "deliveryInfos"):
                return self.desk.deliveries_of(sender, correlator, self.variants)
        raise Refused(404, "RESOURCE_NOT_FOUND", "There is no such resource.", request.path)

    def _passings(self, now: datetime | None = None) -> Passings:
        """What statistics know of at `now`; remembered while the clock stands and nothing is logged."""
        now = self.world.now if now is None else now
        key = (now, len(self.desk.logs))
        if self._cached is None or self._cached[0] != key:
            logs = (
                one for one in (*self._told.logs, *self.desk.logs) if one.at <= now and one.known_at <= now
            )
            self._cached = (key, Passings(logs))
        return self._cached[1]

    def _tags(self, pair: Pair) -> tuple[Tag, Tag]:
        key, start, end = pair
        self.desk.process(key)
        return self.desk.tag(key, start, "START_TAG"), self.desk.tag(key, end, "END_TAG")

    def _window(self, query: Mapping[str, str], begins: str, ends: str, default: Frame) -> Frame:
        start = _instant(query, begins, default.start)
        end = _instant(query, ends, default.end)
        if start > end:
            raise Refused(400, "INVALID_ARGUMENT", f"{begins} is after {ends}.", begins, ends)
        return Frame(start, end, self.variants.to_inclusive)

    def _asked(self, key: str, query: Mapping[str, str]) -> tuple[Tag, Tag, Frame]:
        """Without dates it is the last month until now."""
        start, end = self._tags((key, query.get("start-tag", ""), query.get("end-tag", "")))
        now = self.world.now
        return start, end, self._window(query, "from", "to", Frame(_month_before(now), now))

    def _by_date(self, key: str, query: Mapping[str, str]) -> dict[str, Any]:
        rows = self._days(*self._asked(key, query))
        if self.variants.order == "newest":
            rows.reverse()
        elif self.variants.order == "shuffled":
            Random(self._requests).shuffle(rows)
        granulation = "DAY" if self.variants.enums == "constants" else WORDS["DAY"]
        if not rows and self.variants.no_days != "list":
            shown = {"conversionRates": None} if self.variants.no_days == "null" else {}
            return {**shown, "granulation": granulation}
        return {"conversionRates": rows, "granulation": granulation}

    def _days(self, start: Tag, end: Tag, window: Frame) -> list[Any]:
        """The scripted rows of the window; where there are none, the world's."""
        if self.rows is not None:
            return [_verbatim(row) for row in self.rows if _begins_in(row, window)]
        days = by_day(self._passings(), start, end, window)
        shown_days = (pair for pair in days if pair[1].start_count or self.variants.empty_days == "shown")
        return [self._bucket(day, one) for day, one in shown_days]

    def _bucket(self, day: datetime, one: Count) -> dict[str, Any]:
        frame = Frame(day, day.fromtimestamp(day.timestamp() + 86400, UTC))
        return {
            "startTimeFrame": self._frame(frame),
            "endTimeFrame": None,
            "conversionRateStats": self._stats(one),
        }

    def _average(self, key: str, query: Mapping[str, str]) -> object:
        start, end, window = self._asked(key, query)
        if self.average is not None:
            return _verbatim(self.average)
        ends = self._window(query, "end-tag-from", "end-tag-to", window)
        one = count(self._passings(), start, end, window, ends)
        return {
            "startTag": start.name,
            "endTag": end.name,
            "startTagTimeFrame": self._frame(window),
            "endTagTimeFrame": self._frame(ends),
            "conversionRateStats": self._stats(one),
            "averageConversionTime": self._time(one),
        }

    def _frame(self, frame: Frame) -> dict[str, str]:
        return {"from": shown(frame.start, self.variants), "to": shown(frame.end, self.variants)}

    def _stats(self, one: Count) -> dict[str, Any]:
        number = float if self.variants.counts == "decimal" else int
        return {
            "startCount": number(one.start_count),
            "endCount": number(one.end_count),
            "conversionRate": self._rate(one.rate),
        }

    def _rate(self, rate: float | None) -> object:
        """A whole rate is written without a point, as in the sample."""
        if rate is None:
            return {"zero": 0, "null": None, "NaN": "NaN"}[self.variants.zero_rate]
        if self.variants.rate != "number":
            return f"{rate:.1%}".replace("%", " %") if self.variants.rate == "percent" else "n/a"
        return int(rate) if rate.is_integer() else rate

    def _time(self, one: Count) -> dict[str, Any] | None:
        if one.seconds is None and self.variants.no_time == "null":
            return None
        unit = self.variants.time_unit
        shown_unit = unit.upper() if self.variants.units_in_capitals else unit
        return {"time": 0 if one.seconds is None else in_unit(one.seconds, unit), "timeUnit": shown_unit}


def _instant(query: Mapping[str, str], name: str, default: datetime) -> datetime:
    text = query.get(name)
    if text is None:
        return default
    try:
        return read(text)
    except ValueError:
        raise Refused(400, "INVALID_ARGUMENT", f"Parameter {name} is no date.", name, text) from None


def _month_before(instant: datetime) -> datetime:
    """The same day of the month before, or that month's last."""
    year, month = (instant.year, instant.month - 1) if instant.month > 1 else (instant.year - 1, 12)
    for day in range(instant.day, 27, -1):
        try:
            return instant.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    return instant.replace(year=year, month=month)


def _verbatim(row: Scripted) -> Any:
    return Raw(row) if isinstance(row, str) else dict(row)


def _begins_in(row: Scripted, window: Frame) -> bool:
    """Does a scripted row begin in the window? What cannot be read of it stands in no way."""
    try:
        given = json.loads(row) if isinstance(row, str) else row
        begins = read(given["startTimeFrame"]["from"])
    except (ValueError, KeyError, TypeError):
        return True
    return window.holds(begins)
