"""Under which names a row stands at the vendor: every identity it was ever sent under, and what was last said of each.

In journal and ledger it is the JSON list `identities`: `identity` (see `Target.identity`), `state`, `content` (what was
sent under it) and `at`. `stands`: the vendor has it, or may have it. `withdrawn`: it was taken back, or says itself
that it counts no more. One that another row has since stays `stands` here, and that row's word on it is the later one
(see identity_holders.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self

from conversync.http.strictjson import dumps
from conversync.send.records import Record
from conversync.send.target import RowRefusedError, Target
from conversync.types import Row

State = Literal["stands", "withdrawn"]
# What an earlier version wrote where another row was to take an identity over, whether it did or not.
_PASSED_ON = "passed on"


@dataclass(frozen=True, slots=True)
class Standing:
    """One identity; `content` without nulls, amounts as Decimal or int."""

    identity: str
    state: State
    content: Row
    at: str


class Identities:
    """Of one row. The last one is that of the last request."""

    def __init__(self, entries: Mapping[str, Standing] | None = None) -> None:
        self._entries = dict(entries or {})
        self._texts: dict[str, str] = {}  # of the contents that were given as JSON

    @classmethod
    def of(cls, record: Record | None, target: Target) -> Self:
        """Of a row as the books have it; for one of a ledger without this column, by what was sent."""
        if record is None:
            return cls()
        if record.identities is not None:
            return cls.read(record.identities)
        if record.status not in ("sent", "in_doubt"):
            return cls()
        content = json.loads(record.content, parse_float=Decimal)
        try:
            identity, withdraws = target.identity(content), target.withdraws(content)
        except RowRefusedError:
            return cls()
        found = cls()
        if identity is not None:
            found.sent(identity, record.content, record.sent_at, withdraws=withdraws)
        return found

    @classmethod
    def read(cls, text: str) -> Self:
        """From the JSON of journal or ledger."""
        listed = json.loads(text, parse_float=Decimal)
        for one in listed:
            one["state"] = "stands" if one["state"] == _PASSED_ON else one["state"]
        return cls({one["identity"]: Standing(**one) for one in listed})

    def __iter__(self) -> Any:
        return iter(self._entries.values())

    def text(self) -> str:
        """As JSON."""
        return f"[{','.join(map(self._text, self))}]"

    def _text(self, one: Standing) -> str:
        content = self._texts.get(one.identity) or dumps(one.content).decode()
        identity = dumps(one.identity).decode()
        return f'{{"identity":{identity},"state":"{one.state}","content":{content},"at":"{one.at}"}}'

    @property
    def last(self) -> str | None:
        """The identity of the last request."""
        return next(reversed(self._entries), None)

    def content(self, identity: str | None) -> Row:
        """What the vendor was last told under it; empty if nothing."""
        found = None if identity is None else self._entries.get(identity)
        return {} if found is None else found.content

    def was_withdrawn(self, identity: str) -> bool:
        """Whether it was taken back."""
        return identity in self._entries and self._entries[identity].state == "withdrawn"

    def standing(self, but: str | None = None) -> list[Standing]:
        """Those that count, or may count, at the vendor; without one."""
        return [one for one in self if one.state == "stands" and one.identity != but]

    def sent(self, identity: str, content: str, at: str, *, withdraws: bool) -> None:
        """A request under it went out; `withdraws` if it says that it counts for nothing."""
        self._entries.pop(identity, None)
        state: State = "withdrawn" if withdraws else "stands"
        self._entries[identity] = Standing(identity, state, json.loads(content, parse_float=Decimal), at)
        self._texts[identity] = content

    def copy(self) -> Identities:
        """One that may change by itself."""
        found = Identities(self._entries)
        found._texts = dict(self._texts)
        return found
