"""The goals of the experiments."""

from __future__ import annotations

from conversync.report import numbers
from conversync.report.markup import Html, strong
from conversync.report.parts import Column, finding, missing, more, queries, section, table
from conversync.report.reading import Reader


def goals(reader: Reader) -> Html:
    """Which goals there are, who uses them, which are gone."""
    catalogue = reader.ask("goals")
    if not catalogue.rows:
        return section(
            "goals",
            "Experiment goals",
            missing("Conductrics is not loaded into this warehouse, or has no goals."),
        )
    current = catalogue.of(is_current=True).rows
    gone = [row for row in catalogue.rows if not row["is_current"]]
    unused = sum(not row["agents"] for row in current)
    words: list[object] = [strong(numbers.many(len(current), "goal")), " can be reached now; "]
    words.append(
        f"{numbers.count(unused)} of them are used by no agent, and "
        if unused
        else "agents use every one of them, and "
    )
    words.append(
        f"{numbers.count(len(gone))} that we saw before {'is' if len(gone) == 1 else 'are'} gone."
        if gone
        else "none is gone."
    )
    columns = (
        Column("name", "Goal", str, lambda row: row["code"]),
        Column("is_current", "State", lambda current: "in use" if current else "gone"),
        Column("agents", "Agents", numbers.count),
        Column("agent_names", "Used by"),
        Column("changed_at", "Unchanged since (UTC)", numbers.moment),
    )
    return section(
        "goals",
        "Experiment goals",
        finding(*words),
        more(
            "Every goal", table(catalogue, columns, "The goals of Conductrics, with their agents", tall=True)
        ),
        queries(catalogue),
    )
