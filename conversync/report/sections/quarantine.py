"""Rows that were set aside, and sends in doubt."""

from __future__ import annotations

from conversync.report import numbers
from conversync.report.parts import Column, Content, Figure
from conversync.report.reading import Reader
from conversync.vendors import title


def rejected(reader: Reader) -> Content:
    """How many rows could not be read, why, and the newest; never the rows themselves, which may name players."""
    if not reader.has("rejected_rows"):
        return Content(missing="No source was loaded that could have set rows aside.")
    reasons, newest = reader.ask("rejected"), reader.ask("rejected_newest")
    total = sum(row["rows_set_aside"] for row in reasons.rows)
    says = "are open: they could not be read, and are in no figure"
    return Content(
        {
            "total": total,
            "last": max((row["last_seen"] for row in reasons.rows), default=None),
            "reasons": reasons,
            "by_reason": _BY_REASON,
            "newest": newest,
            "each": _NEWEST,
        },
        queries=(reasons, newest) if total else (reasons,),
        figures=[Figure("Rows set aside", numbers.count(total), says)],
    )


def sends(reader: Reader) -> Content | None:
    """What was sent, and of what nobody knows whether it arrived; None where nothing was ever sent."""
    if not reader.has("ledgers"):
        return None
    every, doubtful = reader.ask("sends"), reader.ask("sends_in_doubt")
    return Content(
        {
            "doubt": sum(row["sends"] for row in every.of(status="in_doubt").rows),
            "arrived": sum(row["sends"] for row in every.of(status="sent").rows),
            "all": every,
            "by_outcome": _BY_OUTCOME,
            "doubtful": doubtful,
            "each": _DOUBTFUL,
        },
        queries=(every, doubtful),
    )


_BY_REASON = (
    Column("reason", "Reason", numbers.sentence_case, lambda row: title(row["source"])),
    Column("rows_set_aside", "Rows", numbers.count),
    Column("first_seen", "First met (UTC)", numbers.moment),
    Column("last_seen", "Last met (UTC)", numbers.moment),
)
_NEWEST = (
    Column("reason", "Reason", numbers.sentence_case),
    Column("source", "Source", title, lambda row: row["stream"]),
    Column("window_start", "Asked from", numbers.day),
    Column("window_end", "to", numbers.day),
    Column("first_seen", "First met (UTC)", numbers.moment),
    Column("times_seen", "Times met", numbers.count),
    Column("raw_hash", "raw_hash begins"),
)
_BY_OUTCOME = (
    Column("target", "Target"),
    Column("status", "How it ended", lambda status: str(status).replace("_", " ")),
    Column("sends", "Rows", numbers.count),
    Column("first_sent_at", "First (UTC)", numbers.moment),
    Column("last_sent_at", "Last (UTC)", numbers.moment),
)
_DOUBTFUL = (
    Column("send_key", "Row", str, lambda row: row["target"]),
    Column("attempts", "Requests", numbers.count),
    Column("first_sent_at", "First sent (UTC)", numbers.moment),
    Column("reason", "Reason"),
)
