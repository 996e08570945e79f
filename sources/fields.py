"""One JSON object taken field by field: every value by its kind, and nothing that came is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol


class Reads(Protocol):
    """How one JSON value is read (every `records.Kind` is one)."""

    def strict(self, value: Any) -> Any:
        """The value; raises ValueError with the words that follow the field's name."""


class Fields:
    """An object as served; what is taken leaves it, and `rest` is what was never asked for.

    A field may have several names, as a document and its samples may differ: the first that is there and not null
    counts. Absent and null are the same. All methods raise ValueError, with the field's name and what is wrong.
    """

    def __init__(self, served: Mapping[str, Any], path: str = "") -> None:
        self._left = dict(served)
        self._path = path
        self._inner: dict[str, Fields] = {}
        for name, count in Counter(name.casefold() for name in served).items():
            if count > 1:
                raise ValueError(f"the key {path}{name} stands twice, in different letters")

    def take(self, kind: Reads, *names: str) -> Any:
        """The value of a field, None where there is none."""
        name, value = self._pop(names)
        try:
            return None if value is None else kind.strict(value)
        except ValueError as reason:
            raise ValueError(f"{self._path}{name} {reason}") from None

    def need(self, kind: Reads, *names: str) -> Any:
        """The value of a field without which the row means nothing."""
        value = self.take(kind, *names)
        if value is None:
            raise ValueError(f"{self._path}{names[0]} is missing")
        return value

    def inside(self, *names: str) -> Fields:
        """The object under a field; an empty one where there is none."""
        name, value = self._pop(names)
        if value is not None and not isinstance(value, dict):
            raise ValueError(f"{self._path}{name} is not an object")
        self._inner[name] = Fields(value or {}, f"{self._path}{name}.")
        return self._inner[name]

    def rest(self) -> dict[str, Any]:
        """What was not taken, with what was not taken of the objects inside."""
        inner = {name: fields.rest() for name, fields in self._inner.items()}
        return {**self._left, **{name: rest for name, rest in inner.items() if rest}}

    def _pop(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            if self._left.get(name) is not None:
                return name, self._left.pop(name)
        for name in names:
            self._left.pop(name, None)
        return names[0], None
