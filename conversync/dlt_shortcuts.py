"""What dlt works out again and again in a run, worked out once. What comes out is the same.

For each of the many short sessions of a load, dlt looks through every place of settings for the destination, and reads
the schema from its working directory and validates it. In a load of a few rows that was more than half of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from conversync.types import Destination, Document, Pipeline

if TYPE_CHECKING:
    from conversync.dlt_internals import LiveSchemaStorage, Schema


def once(destination: Destination) -> Destination:
    """dlt's DuckDB destination, which from now on resolves its configuration once for each dataset."""
    resolve, capabilities = destination.configuration, destination.capabilities
    known: dict[tuple[str | None, str | None], object] = {}

    def configuration(initial: Any, accept_partial: bool = False) -> object:
        if accept_partial or initial is None:
            return resolve(initial, accept_partial)
        if any(initial is one for one in known.values()):
            return initial
        key = (initial.dataset_name, initial.default_schema_name)
        if key not in known:
            known[key] = resolve(initial)
        return known[key]

    def able(config: Any = None, naming: Any = None) -> object:
        # What DuckDB is able to do does not depend on how it is configured.
        return capabilities(config or destination.spec(), naming)

    vars(destination).update(configuration=configuration, capabilities=able)
    return destination


@contextmanager
def kept_open(pipeline: Pipeline) -> Iterator[None]:
    """Within, sessions on a DuckDB file are copies of one that stays open, and settles it once."""
    if pipeline.destination.destination_name != "duckdb":
        yield
        return
    with pipeline.sql_client():
        yield


def keep() -> None:
    """From now on dlt reads a schema from its working directory only where the file is another than it read last.

    Nor does it take the same type apart for each setting that it looks for, and each schema that it reads, nor a class
    of settings.
    """
    from conversync.dlt_internals import LiveSchemaStorage, environ, validation

    read = LiveSchemaStorage.__getitem__
    if read.__module__ == __name__:
        return

    def as_it_is(self: LiveSchemaStorage, name: str) -> Schema:
        live = self.live_schemas.get(name)
        if live is not None and live.is_modified:
            return live
        file = _stamp(self, name)
        if live is not None and file is not None and vars(self).get(f"as of {name}") == file:
            return live
        found = read(self, name)
        vars(self)[f"as of {name}"] = file
        return found

    LiveSchemaStorage.__getitem__ = as_it_is  # type: ignore[method-assign]
    for module, name in ((environ, "is_secret_hint"), (validation, "get_type_hints")):
        vars(module)[name] = _remembered(getattr(module, name))
    _know_fields()


def _know_fields() -> None:
    """Which settings a class has, and how many, is worked out once for each class."""
    from conversync.dlt_internals import BaseConfiguration

    work_out = vars(BaseConfiguration)["get_resolvable_fields"].__func__
    count = BaseConfiguration.__len__
    known: WeakKeyDictionary[type, Document] = WeakKeyDictionary()
    counted: WeakKeyDictionary[type, int] = WeakKeyDictionary()

    def get_resolvable_fields(cls: type) -> Document:
        if cls not in known:
            known[cls] = work_out(cls)
        return dict(known[cls])

    def counted_once(self: BaseConfiguration) -> int:
        # Asked wherever dlt wants to know whether there is a configuration at all.
        if type(self) not in counted:
            counted[type(self)] = count(self)
        return counted[type(self)]

    BaseConfiguration.__len__ = counted_once  # type: ignore[method-assign]
    BaseConfiguration.get_resolvable_fields = classmethod(get_resolvable_fields)  # type: ignore[method-assign,assignment]


def _remembered(function: Callable[..., object]) -> Callable[..., object]:
    """What the function says of a type, asked once for each type that can be told from others."""
    known: dict[object, object] = {}

    def answer(kind: object, **how: object) -> object:
        try:
            if kind not in known:
                known[kind] = function(kind, **how)
            return known[kind]
        except TypeError:
            return function(kind, **how)

    return answer


def _stamp(storage: LiveSchemaStorage, name: str) -> tuple[int, ...] | None:
    path = Path(storage.storage.make_full_path(storage._file_name_in_store(name, "json")))  # noqa: SLF001 - dlt names it nowhere else
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
