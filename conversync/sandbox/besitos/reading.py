"""Which rows a request asks for, under every reading of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar

from conversync.sandbox.besitos.statements import local_text, zone_of
from conversync.sandbox.besitos.variants import Variants


class Told(Protocol):
    """What of a row the filters look at. A `date_time` of None stands in every window."""

    @property
    def date_time(self) -> str | None: ...
    @property
    def transaction_id(self) -> object: ...
    @property
    def is_reversal(self) -> bool: ...
    @property
    def user_key(self) -> str | None: ...
    @property
    def offer_id(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...


AnyTold = TypeVar("AnyTold", bound=Told)


@dataclass(frozen=True)
class Read:
    """One window asked for, and the world's clock at that moment. `is_reverse` is the text that was sent.

    Example: `Read(world.now, date(2026, 1, 1), date(2026, 1, 31), is_reverse="true")`.
    """

    clock: datetime
    from_date: date
    to_date: date
    is_reverse: str | None = None
    user_id: str | None = None
    offer_id: str | None = None
    type: str | None = None

    @staticmethod
    def of_query(query: Mapping[str, str], clock: datetime, variants: Variants) -> Read:
        """A date that is not sent is the last seven days' edge; one that is no date raises ValueError(its name)."""
        asked = {name: text for name, text in query.items() if text and name not in variants.ignores}
        today = clock.astimezone(zone_of(variants.zone)).date()
        return Read(
            clock,
            _date(asked, "from_date", today - timedelta(days=7)),
            _date(asked, "to_date", today),
            asked.get("is_reverse"),
            asked.get("user_id"),
            asked.get("offer_id"),
            asked.get("type"),
        )


def _date(asked: Mapping[str, str], name: str, default: date) -> date:
    text = asked.get(name)
    if text is None:
        return default
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        raise ValueError(name) from None


def select(rows: Iterable[AnyTold], read: Read, variants: Variants) -> list[AnyTold]:
    """The rows that `read` asks for, in their order."""
    rows = list(rows)
    kinds = _kinds(read.is_reverse, variants)
    reversed_ids = {row.transaction_id for row in rows if row.is_reversal} if kinds == "reversed" else set()
    first = str(read.from_date)
    last = f"{read.to_date} 24" if variants.to_date_inclusive else f"{read.to_date} 00:00:00"
    user = None if read.user_id is None else read.user_id.casefold()

    def asked_for(row: AnyTold) -> bool:
        if row.date_time is not None and not first <= local_text(row.date_time, variants.zone) <= last:
            return False
        if kinds in ("originals", "reversals") and row.is_reversal != (kinds == "reversals"):
            return False
        if kinds == "none" or (kinds == "reversed" and row.transaction_id not in reversed_ids):
            return False
        wanted = ((user, row.user_key), (read.offer_id, row.offer_id), (read.type, row.type))
        return all(want is None or want == have for want, have in wanted)

    return [row for row in rows if asked_for(row)]


def _kinds(is_reverse: str | None, variants: Variants) -> str:
    """`both`, `originals`, `reversals`, `reversed` or `none`."""
    if is_reverse is None:
        return variants.omitted
    if variants.is_reverse == "nothing" or (variants.is_reverse == "number" and is_reverse not in ("0", "1")):
        return "none"
    if variants.is_reverse == "never" or (variants.is_reverse == "one" and is_reverse != "1"):
        return "originals"
    if is_reverse == "0" or (is_reverse == "false" and variants.false == "originals"):
        return "originals"
    return variants.omitted if variants.true == "ignored" else variants.true
