"""One JSON object taken field by field: every value by its kind, and nothing that came is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from conversync.extract.decoded import not_as_it_came
from conversync.extract.page_decoder import dumps
from conversync.extract.values import AlteredError, Reads, is_nothing, taken_of
from conversync.types import Document, Row

if TYPE_CHECKING:
    from conversync.extract.declared import Column


class Json:
    """Anything, as JSON text."""

    arrow = pa.string()
    is_json = True

    def strict(self, value: object) -> str:
        return dumps(value)


JSON = Json()


class Fields:
    """An object as served; what is taken leaves it, and `rest` is what was not.

    A field may have several names, as a document and its samples may differ: the first that is there and not null
    counts. Absent and null are the same, and so is an empty list or object where none can stand; that one stays in
    `rest`, and so does what could not be taken as it came. All methods raise ValueError, with the field's name and what
    is wrong.
    """

    def __init__(self, served: Row, path: str = "") -> None:
        self._left = dict(served)
        self._path = path
        self._inner: dict[str, Fields] = {}
        self._kept: Document = {}
        self._altered: list[str] = []
        for name, count in Counter(name.casefold() for name in served).items():
            if count > 1:
                raise ValueError(f"the key {path}{name} stands twice, in different letters")

    def take(self, kind: Reads, *names: str) -> Any:
        """The value of a field, None where there is none."""
        name, value = self._pop(names)
        try:
            taken = taken_of(kind, value)
        except AlteredError as altered:
            taken = altered.taken
            self._kept[name] = value
            self._altered.append(name)
        except ValueError as reason:
            raise ValueError(f"{self._path}{name} {reason}") from None
        if taken is None and is_nothing(value):
            self._kept[name] = value
        return taken

    def need(self, kind: Reads, *names: str) -> Any:
        """The value of a field without which the row means nothing."""
        value = self.take(kind, *names)
        if value is None:
            raise ValueError(f"{self._path}{names[0]} is missing")
        return value

    def taken(self, columns: Iterable[Column]) -> Document:
        """The values of these columns of a table, which are the vendor's fields, by their names."""
        return {
            one.name: (self.need if one.required else self.take)(
                cast("Reads", one.kind), one.json or one.name
            )
            for one in columns
        }

    def inside(self, *names: str) -> Fields:
        """The object under a field; an empty one where there is none."""
        name, value = self._pop(names)
        if value is not None and not isinstance(value, dict) and not is_nothing(value):
            raise ValueError(f"{self._path}{name} is not an object")
        self._inner[name] = Fields(value or {}, f"{self._path}{name}.")
        return self._inner[name]

    def keep(self, name: str, value: object) -> None:
        """Puts a value that could not be used among the `rest`, where it is no news."""
        self._kept[name] = value

    def rest(self) -> Document:
        """What was not taken, with what was not taken of the objects inside."""
        inner = {name: fields.rest() for name, fields in self._inner.items()}
        return {**self._left, **self._kept, **{name: rest for name, rest in inner.items() if rest}}

    def unknown(self) -> list[str]:
        """All that is to be told: `news`, and what was `altered`, marked."""
        return [*self.news(), *map(not_as_it_came, self.altered())]

    def news(self) -> list[str]:
        """The names of what was never asked for, and of the objects inside that hold such."""
        return [*self._left, *(name for name, fields in self._inner.items() if fields.news())]

    def altered(self) -> list[str]:
        """The names of what could not be taken as it came, by their path."""
        inner = (f"{name}.{one}" for name, fields in self._inner.items() for one in fields.altered())
        return [*self._altered, *inner]

    def _pop(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            if self._left.get(name) is not None:
                return name, self._left.pop(name)
        for name in names:
            self._left.pop(name, None)
        return names[0], None
