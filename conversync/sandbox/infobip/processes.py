"""Processes, tags and what was logged: the world's tracked messages, and what others create and log."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from conversync.sandbox.story import Conversion
from conversync.sandbox.world import World

TagType = Literal["START_TAG", "END_TAG", "UNDEFINED_TAG"]

INVITED = 0.45  # of the wall's conversions: preceded by a tracked message
SILENT = 0.9  # messages that came to nothing, for each that converted
ENTERED = 0.8  # of those who converted: a code was entered on the way
DAY_EDGE = 0.03  # of the messages: sent at midnight UTC, to the millisecond


@dataclass(frozen=True, slots=True)
class Process:
    """A tracked process; `process_type` is the constant."""

    key: str
    name: str
    description: str
    time_added: datetime
    process_type: str = "USER_DEFINED"


@dataclass(frozen=True, slots=True)
class Tag:
    """A step of a process."""

    key: str
    process_key: str
    name: str
    description: str | None
    tag_type: TagType


@dataclass(frozen=True, slots=True)
class Log:
    """A subscriber (`log_key`) passed a tag at `at`; statistics know of it from `known_at` on."""

    process_key: str
    tag_key: str
    log_key: str
    at: datetime
    known_at: datetime


def hex_key(text: str) -> str:
    """32 capital hexadecimal digits, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32].upper()


def log_key(text: str) -> str:
    """A UUID, the same for the same text."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


@dataclass(frozen=True)
class Told:
    """Everything of one world: two processes, and every passing of a tag there will ever be."""

    processes: tuple[Process, ...]
    tags: tuple[Tag, ...]
    logs: tuple[Log, ...]


def told_by(world: World) -> Told:
    """Games are the first process (start, a code entered, end), deals and surveys the second (start, end)."""
    before = world.day(0) - timedelta(days=30)
    names = (("Sign-up tracking", "My awesome Sign-up tracking"), ("Purchase tracking", "Meal box & café"))
    processes = tuple(
        Process(hex_key(f"process {world.seed} {name}"), name, text, before) for name, text in names
    )
    steps: tuple[tuple[int, str, TagType], ...] = (
        (0, "START", "START_TAG"),
        (0, "CODE", "UNDEFINED_TAG"),
        (0, "END", "END_TAG"),
        (1, "START", "START_TAG"),
        (1, "END", "END_TAG"),
    )
    tags = tuple(
        Tag(
            hex_key(f"tag {world.seed} {n} {name}"),
            processes[n].key,
            name,
            f"{processes[n].name}: {name}",
            kind,
        )
        for n, name, kind in steps
    )
    random = Random(f"conversync infobip {world.seed}")
    logs = [log for one in world.conversions for log in _logs(random, one, tags)]
    return Told(processes, tags, tuple(logs))


def _logs(random: Random, conversion: Conversion, tags: tuple[Tag, ...]) -> Iterable[Log]:
    """Messages of that time: one that led to the conversion, perhaps, and some that led nowhere."""
    steps = tags[:3] if conversion.offer.kind == "offer" else tags[3:]
    logs = []
    if random.random() < INVITED:
        sent = _sent(random, conversion.occurred_at)
        key = log_key(f"sms {conversion.transaction_id}")
        logs.append(_log(steps[0], key, sent, sent))
        if len(steps) > 2 and random.random() < ENTERED:
            entered = sent + (conversion.occurred_at - sent) * random.uniform(0.2, 0.9)
            logs.append(_log(steps[1], key, entered, entered))
        logs.append(_log(steps[-1], key, conversion.occurred_at, conversion.tellings[0].at))
        if random.random() < SILENT:
            silent = _sent(random, conversion.occurred_at)
            logs.append(_log(steps[0], log_key(f"silent {conversion.transaction_id}"), silent, silent))
    return logs


def _sent(random: Random, converted: datetime) -> datetime:
    """Minutes to weeks before; sometimes at the first millisecond of that day."""
    sent = converted - timedelta(
        milliseconds=random.randint(60_000, 600_000) + int(random.expovariate(1 / 2e8))
    )
    if random.random() < DAY_EDGE:
        sent = sent.replace(hour=0, minute=0, second=0, microsecond=0)
    return sent.replace(microsecond=sent.microsecond // 1000 * 1000)


def _log(tag: Tag, key: str, at: datetime, known_at: datetime) -> Log:
    return Log(tag.process_key, tag.key, key, at.replace(microsecond=at.microsecond // 1000 * 1000), known_at)


class Passings:
    """The logs of some instant, by tag: when each subscriber first passed it."""

    def __init__(self, logs: Iterable[Log]) -> None:
        self._first: dict[str, dict[str, datetime]] = defaultdict(dict)
        for log in logs:
            first = self._first[log.tag_key]
            first[log.log_key] = min(log.at, first.get(log.log_key, log.at))

    def of(self, tag_key: str) -> dict[str, datetime]:
        """By log key."""
        return self._first.get(tag_key, {})
