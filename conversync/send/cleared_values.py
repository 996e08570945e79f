"""A row beside what was sent of it: what must be said of a value that is null now, and whether anything is new."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from conversync.send.options import Options
from conversync.send.target import Row, RowRefusedError, Target
from conversync.send.values import amount


def settled(row: Row, before: Row, target: Target, options: Options) -> Row:
    """The row with what must be said so that the vendor does not keep what it was told before.

    RowRefusedError where a value was sent, is null now, and cannot be cleared: left out, it would stay as it was.
    """
    cleared = [name for name in target.keeps if _is_set(before, name, target) and _is_blank(row.get(name))]
    if cleared and options.cleared == "zero" and set(cleared) <= set(target.amounts):
        return {**row, **dict.fromkeys(cleared, Decimal(0))}
    for name in cleared:
        money = name in target.amounts
        way_out = 'write 0, or set send_cleared_amounts = "zero"' if money else "give it a value"
        raise RowRefusedError(
            f"{name} was {before[name]} when it was sent and is null now. Left out, the vendor would keep it: "
            f"{way_out}."
        )
    return row


def says_the_same(before: Row, row: Row, target: Target, settings: object) -> bool:
    """Whether both make one request, to the byte: 1 and "1" are one there, and what is not sent is none."""
    try:
        one, other = (
            replace(target.request(each, settings, {}), secrets=()).shown() for each in (before, row)
        )
    except (ValueError, TypeError, OverflowError):
        return False
    return one == other


def _is_set(before: Row, name: str, target: Target) -> bool:
    if _is_blank(before.get(name)):
        return False
    return name not in target.amounts or amount(before, name) != 0


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
