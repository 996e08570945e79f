"""The goals of the experiments on the report's page."""

from __future__ import annotations

from pathlib import Path

from conversync.report import numbers
from conversync.report.parts import Column, Content, Section
from conversync.report.reading import Reader

HERE = Path(__file__).parent


def goals(reader: Reader) -> Content:
    """Which goals there are, who uses them, which are gone."""
    nothing = "Conductrics is not loaded into this warehouse, or has no goals."
    if "goal_catalogue" not in reader.marts or not (catalogue := reader.ask(HERE / "goals")).rows:
        return Content(missing=nothing)
    current = catalogue.of(is_current=True).rows
    return Content(
        {
            "current": current,
            "unused": sum(not row["agents"] for row in current),
            "gone": len(catalogue.rows) - len(current),
            "catalogue": catalogue,
            "columns": _COLUMNS,
        },
        queries=(catalogue,),
    )


_COLUMNS = (
    Column("name", "Goal", str, lambda row: row["code"]),
    Column("is_current", "State", lambda current: "in use" if current else "gone"),
    Column("agents", "Agents", numbers.count),
    Column("agent_names", "Used by"),
    Column("changed_at", "Unchanged since (UTC)", numbers.moment),
)
SECTIONS = (Section("goals", "Goals", "Experiment goals", goals, HERE, after="reconciliation"),)
