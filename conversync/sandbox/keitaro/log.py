"""The conversions log: its columns in both generations, and rows that a test scripted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from conversync.sandbox.keitaro.clicks import SUB_IDS
from conversync.sandbox.keitaro.events import Event
from conversync.sandbox.keitaro.lists import Thing
from conversync.sandbox.keitaro.variants import Variants
from conversync.sandbox.messages import Raw

Scripted = Mapping[str, Any] | str | bytes
"""A row to serve: an object, of which the asked-for columns come; or JSON text or bytes, verbatim."""

Cell = Callable[[Event, Variants, tzinfo], Any]

DEFAULT_COLUMNS = {"new": ("event_id", "datetime"), "old": ("conversion_id", "postback_datetime")}


IDS = {"new": "event_id", "old": "conversion_id"}
NEW_NAMES = {"conversion_id": "event_id", "postback_datetime": "datetime"}


def stamp(instant: datetime | None, zone: tzinfo, variants: Variants) -> str | None:
    """`2026-01-31 12:00:00` in the asked zone, or as the tracker writes it instead."""
    if instant is None:
        return None
    if variants.times == "zulu":
        return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}{'.000' if variants.times == 'fraction' else ''}"


def answered(column: str, variants: Variants) -> str:
    """The name under which an asked-for column comes back."""
    return NEW_NAMES.get(column, column) if variants.names == "new" else column


def money(amount: Decimal, variants: Variants) -> Decimal | str:
    """A number, or its digits."""
    if not amount and variants.zero == "empty":
        return ""
    return f"{amount:f}" if variants.amounts == "text" else amount


def _id(number: int, variants: Variants) -> int | str:
    return str(number) if variants.ids_as_text else number


def _thing(pick: Callable[[Any], Thing], *, name: bool) -> Cell:
    def cell(event: Event, variants: Variants, _: tzinfo) -> Any:
        if event.click is None:
            return None
        thing = pick(event.click)
        return thing.name if name else _id(thing.id, variants)

    return cell


def _things() -> dict[str, Cell]:
    picks: dict[str, Callable[[Any], Thing]] = {
        "campaign": lambda click: click.campaign,
        "offer": lambda click: click.offer,
        "affiliate_network": lambda click: click.affiliate_network,
        "ts": lambda click: click.traffic_source,
        "landing": lambda click: click.landing_page,
    }
    cells = {name: _thing(pick, name=True) for name, pick in picks.items()}
    return cells | {f"{name}_id": _thing(pick, name=False) for name, pick in picks.items()}


def _history(event: Event, variants: Variants, zone: tzinfo) -> Any:
    if variants.history == "text":
        return ",".join(status for status, _ in event.history)
    return [{"status": status, "datetime": stamp(at, zone, variants)} for status, at in event.history]


def _sub_id(number: int) -> Cell:
    return lambda event, _v, _z: None if event.click is None else event.click.sub_ids[number - 1]


def _cost(event: Event) -> Decimal:
    return Decimal(0) if event.click is None else event.click.cost


COMMON: dict[str, Cell] = {
    "sub_id": lambda event, _v, _z: event.sub_id,
    "click_id": lambda event, _v, _z: event.sub_id,
    "tid": lambda event, _v, _z: event.tid,
    "status": lambda event, _v, _z: event.status,
    "revenue": lambda event, variants, _: money(event.revenue, variants),
    "cost": lambda event, variants, _: money(_cost(event), variants),
    "profit": lambda event, variants, _: money(event.revenue - _cost(event), variants),
    "click_datetime": lambda event, variants, zone: stamp(
        event.click.at if event.click else None, zone, variants
    ),
    "sale_datetime": lambda event, variants, zone: stamp(event.sale_at, zone, variants),
    "country": lambda event, _v, _z: event.click and event.click.country,
    "os": lambda event, _v, _z: event.click and event.click.os,
    **_things(),
    **{f"sub_id_{number}": _sub_id(number) for number in range(1, SUB_IDS + 1)},
}

GENERATIONS: dict[str, dict[str, Cell]] = {
    "new": COMMON
    | {
        "event_id": lambda event, _v, _z: event.conversion_id,
        "datetime": lambda event, variants, zone: stamp(event.at, zone, variants),
        "version": lambda event, _v, _z: event.version,
        "status_history": _history,
        "conversion_type": lambda event, _v, _z: event.kind,
    },
    "old": COMMON
    | {
        "conversion_id": lambda event, variants, _: _id(int(event.conversion_id), variants),
        "postback_datetime": lambda event, variants, zone: stamp(event.at, zone, variants),
        "previous_status": lambda event, _v, _z: event.previous_status,
        "original_status": lambda event, _v, _z: event.original_status,
    },
}


@dataclass(frozen=True)
class Told:
    """A conversion of the books as the log may show it."""

    event: Event

    def at(self) -> datetime | None:
        """What the range filters on."""
        return self.event.at

    def cell(self, column: str, variants: Variants, zone: tzinfo) -> Any:
        """The column's value; the column is known."""
        return GENERATIONS[variants.generation][column](self.event, variants, zone)

    def row(self, columns: tuple[str, ...], variants: Variants, zone: tzinfo) -> dict[str, Any] | Raw:
        """The asked-for columns, less those that are silently left out."""
        return {
            answered(one, variants): self.cell(one, variants, zone)
            for one in columns
            if one not in variants.omits
        }


@dataclass(frozen=True)
class Written:
    """A test's row. Times without an offset are taken for UTC, all are shown as they are; without one it is in every
    range."""

    value: dict[str, Any] | Raw
    known: Mapping[str, Any]

    def at(self) -> datetime | None:
        """Of `datetime`, or of the older column."""
        text = self.known.get("datetime") or self.known.get("postback_datetime")
        try:
            read = datetime.fromisoformat(str(text))
        except ValueError:
            return None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read

    def cell(self, column: str, _variants: Variants, _zone: tzinfo) -> Any:
        """None where the row has none."""
        return self.known.get(column)

    def row(self, columns: tuple[str, ...], variants: Variants, _zone: tzinfo) -> dict[str, Any] | Raw:
        """Verbatim text, or those of the asked-for columns that the object has."""
        if isinstance(self.value, Raw):
            return self.value
        return {
            answered(one, variants): self.value[one]
            for one in columns
            if one in self.value and one not in variants.omits
        }


Row = Told | Written


def scripted(row: Scripted) -> Written:
    """What cannot be read of verbatim text stands in no filter's way."""
    if isinstance(row, Mapping):
        return Written(dict(row), row)
    text = row.decode("utf-8", "surrogateescape") if isinstance(row, bytes) else row
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return Written(Raw(text), value if isinstance(value, dict) else {})
