"""Who stands where at the vendor, by all that the books of a target have: of each identity, the rows that had it.

An identity is one thing at the vendor, whoever names it: what was said of it last counts, of whichever row that was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conversync.send.identities import Identities, Standing
from conversync.send.records import Record
from conversync.send.target import Target


class Holders:
    """Reads `records` once. `record` gives the whole line of a key, for the few identities that several rows had."""

    def __init__(
        self, records: Iterable[Record], target: Target, record: Callable[[str], Record | None]
    ) -> None:
        self._target = target
        self._record = record
        # One key, or a tuple of several: books of a million rows are looked through, and nearly all have one.
        self._keys: dict[str, str | tuple[str, ...]] = {}
        self.moved: list[str] = []
        """Keys that have, or had, more than one identity that nobody took back."""
        for one in records:
            identities = Identities.of(one, target)
            for standing in identities:
                self._note(standing.identity, one.send_key)
            if identities.standing(but=identities.last):
                self.moved.append(one.send_key)

    def _note(self, identity: str, key: str) -> None:
        before = self._keys.get(identity)
        if before is None:
            self._keys[identity] = key
        else:
            self._keys[identity] = (*(before if isinstance(before, tuple) else (before,)), key)

    def had_last(self, identity: str) -> str | None:
        """The row that said the last word on it; None if none ever did."""
        keys = self._keys.get(identity)
        if keys is None or isinstance(keys, str):
            return keys
        return max(keys, key=lambda key: self._at(identity, key))

    def stand_on(self, identity: str, but: str) -> list[str]:
        """The rows without `but` that were last sent as it, and did not take it back."""
        keys = self._keys.get(identity, ())
        keys = (keys,) if isinstance(keys, str) else keys
        return [key for key in keys if key != but and self._stands(identity, key)]

    def left_behind(self, key: str, but: str | None) -> list[Standing]:
        """What the row was sent as without `but`, was not taken back, and nobody said anything of since."""
        standing = Identities.of(self._record(key), self._target).standing(but=but)
        return [one for one in standing if self.had_last(one.identity) in (None, key)]

    def _stands(self, identity: str, key: str) -> bool:
        identities = Identities.of(self._record(key), self._target)
        return (
            identities.last == identity
            and bool(identities.standing())
            and not identities.was_withdrawn(identity)
        )

    def _at(self, identity: str, key: str) -> str:
        identities = Identities.of(self._record(key), self._target)
        return next((one.at for one in identities if one.identity == identity), "")
