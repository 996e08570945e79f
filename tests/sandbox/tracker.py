"""A reader of the tracker's log."""

from __future__ import annotations

from typing import Any

from conversync.sandbox import Sandbox
from tests.sandbox.asking import keitaro

NEW = (
    *("event_id", "datetime", "version", "status_history", "conversion_type"),
    *("tid", "sub_id", "status", "revenue"),
)
OLD = ("conversion_id", "postback_datetime", "previous_status", "original_status", "tid", "status", "revenue")
ALL = {"from": "2025-01-01", "to": "2027-01-01", "timezone": "UTC"}
SORTED = [{"name": "datetime", "order": "ASC"}, {"name": "event_id", "order": "ASC"}]


def log(sandbox: Sandbox, **body: Any) -> Any:
    """The answer to a log request; all days in UTC unless told otherwise."""
    return keitaro(sandbox, "conversions/log", {"range": ALL, "columns": NEW, "limit": 0, **body}).json()


def scan(sandbox: Sandbox, limit: int, **body: Any) -> list[dict[str, Any]]:
    """All pages, up to the announced total."""
    rows: list[dict[str, Any]] = []
    page = None
    while page is None or (page["rows"] and len(rows) < int(page["total"])):
        page = log(sandbox, **{"sort": SORTED, **body}, limit=limit, offset=len(rows))
        rows += page["rows"]
    return rows
