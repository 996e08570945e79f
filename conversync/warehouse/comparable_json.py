"""The one nested column of a statement, in a form in which two sides can be compared."""

from __future__ import annotations

import json
from typing import Any

HISTORY = "status_history"


def with_plain_history(rows: Any) -> Any:
    """Rows (Arrow) whose histories can be compared: JSON may be written in another way, and so may its times."""
    # Here, so that a command that compares nothing does not load them.
    import pyarrow as pa

    from conversync.extract.times import plainly

    if HISTORY not in rows.schema.names:
        return rows
    texts = [
        one if one is None or isinstance(one, str) else json.dumps(one) for one in rows[HISTORY].to_pylist()
    ]
    plain = plainly(pa.chunked_array([texts], pa.string())).to_pylist()
    canonical = [text and json.dumps(json.loads(text), sort_keys=True) for text in plain]
    place = rows.schema.get_field_index(HISTORY)
    return rows.set_column(place, HISTORY, pa.array(canonical, pa.string()))
