"""What is kept of Conductrics: its lists as they are, and every version of a goal."""

from __future__ import annotations

from conversync.extract.declared import (
    BIGINT,
    EXTRA,
    INSTANT,
    JSON,
    MONEY,
    STRING,
    VERSIONS,
    WHOLE_LIST,
    Column,
    Staged,
    Table,
)
from conversync.extract.field_kinds import INTEGER, KEY, TEXT
from conversync.monitor.view_columns import list_views
from conversync.send.tables import ledger

GOALS = Table(
    "goals",
    "The goals as they are now.",
    (
        Column("code", STRING, "The goal: the key.", required=True),
        Column("name", STRING, "Its name."),
        Column("count_max", BIGINT, "How often it counts for one visitor."),
        Column("value_min", MONEY, "The least value that is taken."),
        Column("value_max", MONEY, "The greatest value that is taken."),
        EXTRA,
    ),
    WHOLE_LIST,
    ("code",),
    is_compared=True,
    is_news=False,
    staged=Staged(unique="code"),
)
GOAL_AGENTS = Table(
    "goal_agents",
    "A goal and one of its agents, as it is now.",
    (
        Column("code", STRING, "The goal.", required=True),
        Column("agent", STRING, "The agent's code.", required=True),
    ),
    WHOLE_LIST,
    ("code", "agent"),
    is_compared=True,
    is_news=False,
)
GOAL_HISTORY = Table(
    "goal_history",
    "Every version of every goal; valid_to is null for what holds now, and a deleted goal has no such row.",
    (
        Column("code", STRING, "The goal.", required=True),
        Column("name", STRING, "Its name in this version."),
        *GOALS.named("count_max", "value_min", "value_max"),
        Column("agents", JSON, "Its agents' codes, in order, as JSON text."),
        Column("statement_hash", STRING, "The fingerprint of the version.", required=True),
        Column("valid_from", INSTANT, "When we first saw the version."),
        Column("valid_to", INSTANT, "When we saw another one, or none; null for what holds now."),
    ),
    VERSIONS,
)
AGENTS = Table(
    "agents",
    "The agents as they are now.",
    (
        Column("code", KEY, "The agent: the key.", required=True),
        Column("name", TEXT, "Its name."),
        Column("description", TEXT, "What it is for.", json="desc"),
        Column("status", TEXT, "Its state, as the vendor says."),
        Column("num_days", INTEGER, "How many days its figures cover."),
        Column("choices", JSON, "What it chooses between, as JSON text."),
        Column("tags", JSON, "Its tags, as JSON text."),
        Column("workflow_tags", JSON, "Its workflow's tags, as JSON text."),
        Column("members", JSON, "Who works on it, as JSON text."),
        Column("created_at", INSTANT, "When it was created."),
        Column("updated_at", INSTANT, "When it was last changed."),
        EXTRA,
    ),
    WHOLE_LIST,
    ("code",),
    is_compared=True,
)
TABLES = (GOALS, GOAL_AGENTS, GOAL_HISTORY, AGENTS, *list_views())
LEDGERS = (ledger("conductrics_goals", "Goals that were put or deleted at Conductrics."),)
