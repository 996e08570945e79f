"""What a shard reads before it is its turn to write, and goes on with in its load.

A walk is a generator: begun on a copy of the state, it reads until it tells `READ`. Then, in the load that takes what
it read, it goes on with the newest state, which other shards may have changed since: into that goes what the reading
itself changed, such as a limit of the vendor that was learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import Any

import dlt
from dlt.extract import DltResource

from conversync.extract.routing import READ, Routed
from conversync.types import Document, State

Walk = Callable[[State], Iterator[Routed]]

_ahead: ContextVar[ReadAhead | None] = ContextVar("what is read before its load", default=None)


def walking(walk: Walk) -> DltResource:
    """The resource that walks, for `routed`: `walk` is given the source's state, and tells `READ` once all is read."""
    ahead = _ahead.get()
    if ahead is not None:
        ahead.walk = walk

    @dlt.resource(name="walk", selected=False)
    def scan() -> Iterator[Routed]:
        state = dlt.current.source_state()
        yield from walk(state) if ahead is None else ahead.rest(state)

    return scan


class ReadAhead:
    """One dlt source, of which the walk may be begun before it is loaded."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.walk: Walk | None = None
        token = _ahead.set(self)
        try:
            self.source = make()
        finally:
            _ahead.reset(token)
        self._begun: Iterator[Routed] | None = None

    def read(self, state: State) -> None:
        """Reads all that the walk reads, by this state, which stays as it is. Raises what the walk does."""
        assert self.walk is not None  # noqa: S101 - such vendors say that they are read in shards
        self._before, self._state = deepcopy(state), deepcopy(state)
        self._begun = self.walk(self._state)
        if next(self._begun, None) is not READ:
            raise ValueError("a walk tells READ before anything else")

    def rest(self, newest: State) -> Iterator[Routed]:
        """What the walk routes, in its load; `newest` is the state there. All of the walk, where nothing was read."""
        if self._begun is None:
            assert self.walk is not None  # noqa: S101 - as above
            yield from self.walk(newest)
            return
        become(self._state, with_changes(newest, self._before, self._state))
        yield from self._begun
        become(newest, self._state)

    def forget(self) -> None:
        """What was read is given up, with its files and connections."""
        if self._begun is not None:
            self._begun.close()  # type: ignore[attr-defined] # a generator has it
        self._begun = None


@contextmanager
def read_ahead(make: Callable[[], Any]) -> Iterator[ReadAhead]:
    """A source that can be read before its load; what it read goes at the end."""
    ahead = ReadAhead(make)
    try:
        yield ahead
    finally:
        ahead.forget()


def with_changes(newest: State, before: State, after: State) -> Document:
    """The newest state with what became of `before` in `after`: JSON, of which mappings are taken apart."""
    found: Document = {
        name: deepcopy(value) for name, value in newest.items() if name in after or name not in before
    }
    for name, value in after.items():
        old, now = before.get(name), newest.get(name)
        if isinstance(value, dict) and isinstance(now, dict):
            found[name] = with_changes(now, old if isinstance(old, dict) else {}, value)
        elif name not in before or value != old:
            found[name] = deepcopy(value)
    return found


def become(state: State, other: State) -> None:
    """Has a state hold what the other one does; its mappings stay the same ones, since who works with it holds them."""
    for name in [name for name in state if name not in other]:
        del state[name]
    for name, value in other.items():
        own = state.get(name)
        if isinstance(own, dict) and isinstance(value, dict):
            become(own, value)
        else:
            state[name] = value
