"""What was sent to the tracker beside its own log, where each conversion stands under its subid and tid."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from conversync.errors import SettingsError
from conversync.send.arrivals import Arrivals, Arrived, compare
from conversync.send.comparison import Ask, Comparison, Reconciliation
from conversync.send.records import Record

from . import statuses
from .target import Conversions

# So long may a posting wait in the tracker's queue: 11 to 36 seconds were measured, a minute was told.
QUEUED = timedelta(minutes=5)


def _compare(ask: Ask, sent: Sequence[Record]) -> Comparison:
    told = f"coalesce({statuses.sql()}, status)"
    rows = ask(f"select sub_id, tid, {told}, revenue, currency from keitaro.conversions")  # noqa: S608 - our own words
    if rows is None:
        raise SettingsError(
            "The tracker's own conversions are not in the warehouse: run `conversync load keitaro` first."
        )
    there: dict[tuple[str, str], list[Arrived]] = defaultdict(list)
    for sub_id, tid, status, revenue, currency in rows:
        there[str(sub_id or ""), str(tid or "")].append(Arrived(str(status), revenue, currency))
    arrivals = Arrivals("keitaro", "the tracker", there, _pair, _named, _kind, QUEUED)
    return compare(ask, sent, Conversions(), arrivals)


def _pair(identity: str) -> tuple[str, str]:
    subid, tid = json.loads(identity)
    return str(subid), str(tid or "")


def _named(identity: str) -> str:
    return "subid {}, tid {}".format(*_pair(identity))


def _kind(status: str) -> str:
    return statuses.kind_of(None, status.lower()) or status.lower()


RECONCILE = Reconciliation(Conversions.name, _compare)
