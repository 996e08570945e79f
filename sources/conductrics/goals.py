"""Goal types as the vendor's document describes them, the agents they belong to, and what a table holds of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pendulum
import pyarrow as pa

from conversync.extract.columns import digest
from conversync.extract.field_kinds import AMOUNT, INTEGER, KEY, TEXT
from conversync.extract.fields import Fields
from conversync.extract.page_decoder import dumps
from conversync.types import Document, Row

from .tables import AGENTS, GOAL_HISTORY

# What a version of a goal says. Its agents are a set: they stand in the order of their codes.
STATED = ("code", "name", "count_max", "value_min", "value_max", "agents")
# The document's default where a goal does not say how often it counts for a visitor.
COUNT_MAX = 1
# The document warns of these fields of a goal: they are kept, and no news.
WARNED_OF = frozenset({"diagram", "tags"})


class Codes:
    """A list of codes: each once, in their own order."""

    def strict(self, value: object) -> list[str]:
        if not isinstance(value, list):
            raise ValueError("is not a list")
        if not all(isinstance(one, str) and one for one in value):
            raise ValueError("holds something other than codes")
        return sorted({KEY.strict(one) for one in value})


class Seconds:
    """Unix seconds, as UTC."""

    def strict(self, value: object) -> datetime | None:
        seconds = INTEGER.strict(value)
        try:
            return None if seconds is None else pendulum.from_timestamp(seconds)
        except (OverflowError, OSError):
            raise ValueError("is a time that does not exist") from None


CODES, SECONDS = Codes(), Seconds()


def code_of(served: Row) -> str:
    """The code of a goal or an agent; ValueError where it has none."""
    code = KEY.strict(served.get("code")) if served.get("code") is not None else ""
    if not code or code in (".", ".."):
        raise ValueError("code is missing")
    return code


def goal(code: str, summary: Row, detail: Row) -> tuple[Document, list[str]]:
    """A goal as its columns and its `agents`, and the fields that are new to us; ValueError for what is wrong.

    `detail` is what counts; where it leaves something out, `summary`, the goal in the list, says it.
    """
    fields = Fields({**summary, **{name: value for name, value in detail.items() if value is not None}})
    if fields.need(KEY, "code") != code:
        raise ValueError("code is not the one that was asked for")
    count_max = fields.take(INTEGER, "countMax")
    row = {
        "code": code,
        "name": fields.take(TEXT, "name"),
        "count_max": COUNT_MAX if count_max is None else count_max,
        "value_min": fields.take(AMOUNT, "valueMin"),
        "value_max": fields.take(AMOUNT, "valueMax"),
        "agents": fields.take(CODES, "agents") or [],
    }
    rest = fields.rest()
    return {**row, "extra": dumps(rest) if rest else None}, sorted(set(fields.unknown()) - WARNED_OF)


def agent(served: Row) -> tuple[Document, list[str]]:
    """An agent as its columns, and the fields that are new to us; ValueError for what is wrong."""
    fields = Fields(served)
    record = fields.inside("rec")
    row = {
        **fields.taken(AGENTS.served),
        "created_at": record.take(SECONDS, "c_ts"),
        "updated_at": record.take(SECONDS, "u_ts"),
    }
    rest = fields.rest()
    # Of `rec` only the two times are known to us, and that it has more is.
    return {**row, "extra": dumps(rest) if rest else None}, sorted(set(fields.unknown()) - {"rec"})


def goal_agents(goals: Sequence[Row]) -> list[Document]:
    """A row for each goal and agent."""
    return [{"code": goal["code"], "agent": code} for goal in goals for code in goal["agents"]]


def versions(goals: Sequence[Row]) -> list[Document]:
    """What the goals say now, with a hash that is another one as soon as any of it is."""
    rows = [{**goal, "agents": dumps(goal["agents"])} for goal in goals]
    schema = pa.schema([GOAL_HISTORY.schema.field(name) for name in STATED])
    hashes = digest(pa.Table.from_pylist(rows, schema=schema), STATED).to_pylist() if rows else []
    return [{**row, "statement_hash": hash_} for row, hash_ in zip(rows, hashes, strict=True)]
