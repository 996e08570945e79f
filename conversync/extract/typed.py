"""Values with the types that are declared: MariaDB keeps truths as numbers, and times without their zone (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from conversync.extract.declared import BOOLEAN, INSTANT

_OTHERWISE = {(pa.int64(), BOOLEAN), (pa.timestamp("us"), INSTANT)}


def as_declared(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema with its types where they came as MariaDB's; all else as it is."""
    for column in schema:
        at = rows.schema.get_field_index(column.name)
        came = rows.schema.types[at] if at >= 0 else column.type
        if came == pa.null() or (came, column.type) in _OTHERWISE:
            rows = rows.set_column(at, column.name, rows.column(at).cast(column.type))
    return rows


def typed(kind: pa.DataType | None, value: Any) -> Any:
    """A value of a column of that type."""
    if kind == BOOLEAN and isinstance(value, int):
        return bool(value)
    if kind == INSTANT and isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
