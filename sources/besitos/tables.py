"""What is kept of Besitos: its tables, and the views of what stands."""

from __future__ import annotations

from conversync.books.histories import CHANGES_TABLE
from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    DATE,
    EXTRA,
    FINDINGS,
    ID,
    INSTANT,
    JSON,
    MONEY,
    NOTE,
    PAGE,
    STATEMENTS,
    STRING,
    UPSERTED,
    Column,
    Staged,
    Table,
)
from conversync.extract.field_kinds import AMOUNT, FLAG, INTEGER, KEY, STAMP, TEXT
from conversync.monitor.view_columns import dated_views

# The columns that are the vendor's fields, in the order of its document.
IN_DOCUMENT = (
    *("user_id", "transaction_id", "reward", "payout", "offer_id", "offer_name", "note", "date_time"),
    *("reward_local_currency", "goal_id", "is_reversal", "type", "survey_id"),
    # Not in the document, and USD where it is missing; money in another currency must never be summed as USD.
    "currency",
)
CONVERSION_EVENTS = Table(
    "conversion_events",
    "Every statement of Besitos about an event (a conversion, or its reversal). Nothing is overwritten: "
    "valid_to is null for what holds now.",
    (
        Column(
            "event_key",
            STRING,
            "The event: a transaction id, and original, or reversal with the reversal's time and reward.",
            required=True,
        ),
        Column(
            "transaction_id",
            INTEGER,
            "The transaction; a conversion and its reversals share it.",
            required=True,
        ),
        Column(
            "is_reversal", FLAG, "Whether the event takes a conversion back.", json="reverse", nullable=False
        ),
        Column(
            "user_id",
            KEY,
            "The player, as it came (see besitos_user_id_mode); null where the person was forgotten.",
            varies=True,
            person=ID,
        ),
        Column(
            "user_key", STRING, "The player with case folded, since ids ignore case.", varies=True, person=ID
        ),
        Column("offer_id", KEY, "The offer; null for a survey."),
        Column("offer_name", TEXT, "The offer's name at the time."),
        Column("goal_id", KEY, "The goal within the offer that was reached."),
        Column("note", TEXT, "What the vendor notes of it.", person=NOTE),
        Column("type", TEXT, "What kind of conversion it is, as the vendor says."),
        Column("survey_id", KEY, "The survey, where it was one."),
        Column("payout", AMOUNT, "What we are paid, in `currency`; a reversal's may be null."),
        Column("reward", AMOUNT, "What the player is given, in `currency`.", required=True),
        Column("reward_local_currency", AMOUNT, "What the player is given, in points or coins."),
        Column("date_time", STAMP, "The vendor's time, as it came.", required=True, varies=True),
        Column("occurred_at", INSTANT, "The same instant, in UTC.", required=True),
        Column("occurred_on", DATE, "Its day in the vendor's zone (besitos_zone).", required=True),
        EXTRA,
        Column("statement_hash", STRING, "The fingerprint of what the statement says.", required=True),
        Column("valid_from", INSTANT, "When we first read the statement."),
        Column("valid_to", INSTANT, "When we read another one in its place; null for what holds now."),
        Column(
            "currency",
            KEY,
            "The currency of payout and reward, where the vendor tells one; it is USD where none is told.",
        ),
        PAGE,
    ),
    STATEMENTS,
    ("event_key",),
    day="occurred_on",
    reversal="is_reversal",
    lasting=("user_key", "offer_id"),
    currency="currency",
    untold="USD",
    is_compared=True,
    sums=("payout", "reward"),
    by=("is_reversal",),
)
WITHDRAWN_EVENTS = Table(
    "withdrawn_events",
    "The events that the vendor served, and did not serve any more when their whole day was read again.",
    (
        Column("event_key", STRING, "The event: the key, as in conversion_events.", required=True),
        Column("transaction_id", BIGINT, "Its transaction."),
        Column("is_reversal", BOOLEAN, "Whether the event takes a conversion back."),
        Column("occurred_on", DATE, "Its day in the vendor's zone."),
        Column(
            "withdrawn_at",
            INSTANT,
            "When a reading of its whole day first came without it; null if it is served again.",
        ),
        Column(
            "replaced_by",
            BIGINT,
            "The transaction under which the vendor serves the event now, which counts in its place; null where "
            "there is none.",
        ),
    ),
    UPSERTED,
    ("event_key",),
    is_news=False,
)
WITHDRAWN_HISTORY = Table(
    "withdrawn_history",
    "Every state of withdrawn_events, with the time in which it stood: what was known of an event at any moment.",
    (
        *WITHDRAWN_EVENTS.columns,
        Column("statement_hash", STRING, "The fingerprint of the state.", required=True),
        Column("valid_from", INSTANT, "When we found it so."),
        Column("valid_to", INSTANT, "When we found it otherwise; null for what holds now."),
    ),
    FINDINGS,
    ("event_key",),
    is_news=False,
    staged=None,
)
CONVERSIONS = Table(
    "conversions",
    "A row for each transaction: what it earned, what was taken back, what is left.",
    (
        Column("transaction_id", BIGINT, "The transaction: the key."),
        *CONVERSION_EVENTS.named(
            "user_id", "user_key", "offer_id", "offer_name", "goal_id", "note", "type", "survey_id"
        ),
        Column("occurred_at", INSTANT, "When it happened, in UTC."),
        *CONVERSION_EVENTS.named("occurred_on"),
        Column("payout", MONEY, "What we earned, in `currency`; null for an orphan."),
        Column("reward", MONEY, "What the player was given, in `currency`; null for an orphan."),
        Column("reward_local_currency", MONEY, "What the player was given, in points or coins."),
        Column(
            "reversed_payout",
            MONEY,
            "What was taken back of the payout, with the original's sign; null where nothing or not told.",
        ),
        Column("reversed_reward", MONEY, "What was taken back of the reward, with the original's sign."),
        Column("reversed_reward_local_currency", MONEY, "What was taken back of the points or coins."),
        Column(
            "net_payout", MONEY, "What is left of the payout, in `currency`; never clamped, 0 for an orphan."
        ),
        Column(
            "net_reward", MONEY, "What is left of the reward, in `currency`; never clamped, 0 for an orphan."
        ),
        Column("net_reward_local_currency", MONEY, "What is left of the points or coins."),
        Column("is_reversed", BOOLEAN, "Whether a reversal came."),
        Column("is_orphan", BOOLEAN, "Whether a reversal came without an original."),
        Column(
            "reversal_payout_unknown",
            BOOLEAN,
            "Whether the reversal does not tell its payout, which then counts as 0.",
        ),
        Column(
            "is_future_dated",
            BOOLEAN,
            "Whether it is dated more than a day after we first read it, which cannot be.",
        ),
        Column("is_over_reversed", BOOLEAN, "Whether more was taken back than was given."),
        Column(
            "reversed_at",
            INSTANT,
            "When it was first reversed, as the vendor dates it; that may be the original's own time.",
        ),
        Column("first_seen_at", INSTANT, "When we first read the original."),
        Column("reversal_seen_at", INSTANT, "When we first read a reversal of it."),
        Column("statements", BIGINT, "How many statements were read of the original and its reversals."),
        Column(
            "currency",
            STRING,
            "The currency of payout and reward: USD where the vendor tells none. Never sum across currencies.",
        ),
        Column("reversals", BIGINT, "How many reversals count: a sale may be taken back in instalments."),
        Column(
            "is_reversal_replaced",
            BOOLEAN,
            "Whether a reversal that the vendor serves no more gave way to another one, which counts alone.",
        ),
        Column(
            "is_reversal_in_other_currency",
            BOOLEAN,
            "Whether a reversal in another currency came, which takes nothing from this amount.",
        ),
        Column(
            "withdrawn_at",
            INSTANT,
            "When a reading of its whole day first came without the conversion; null while it is served.",
        ),
        Column(
            "replaces",
            BIGINT,
            "The transaction as which the conversion was first read, where the vendor gave it another id since; null "
            "otherwise. It is sent under this one.",
        ),
    ),
    staged=Staged(unique="transaction_id"),
)
# What the lists of the catalogue end with.
_LISTED = (
    EXTRA,
    Column("is_current", BOOLEAN, "Whether the catalogue still has it.", required=True),
    Column("last_seen_at", INSTANT, "When the catalogue last had it.", required=True),
)
OFFERS = Table(
    "offers",
    "The catalogue of offers; what ended keeps its name.",
    (
        Column("offer_id", STRING, "The offer: the key.", required=True),
        Column("name", TEXT, "Its name."),
        Column("budget_status", TEXT, "Whether its budget still pays, as the vendor says."),
        Column("cpi", AMOUNT, "What an install pays, in USD."),
        Column("goals", JSON, "Its goals, as JSON text."),
        *_LISTED,
    ),
    UPSERTED,
    ("offer_id",),
)
DEALS = Table(
    "deals",
    "The catalogue of deals; what ended keeps its name.",
    (
        Column("offer_id", STRING, "The deal's offer: the key.", required=True),
        Column("name", TEXT, "Its name."),
        Column("cpa", AMOUNT, "What an action pays, in USD."),
        *_LISTED,
    ),
    UPSERTED,
    ("offer_id",),
)
TABLES = (
    CONVERSION_EVENTS,
    WITHDRAWN_EVENTS,
    WITHDRAWN_HISTORY,
    CONVERSIONS,
    OFFERS,
    DEALS,
    *dated_views("a day in besitos_zone", lateness=True),
    CHANGES_TABLE,
)
