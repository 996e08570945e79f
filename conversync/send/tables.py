"""What is kept of what was sent, in the dataset `sent`: a ledger a target, all of the same columns."""

from __future__ import annotations

from conversync.extract.declared import (
    BIGINT,
    DATE,
    INSTANT,
    JSON,
    MERGED,
    STRING,
    Column,
    Staged,
    Table,
)

COLUMNS = (
    Column("send_key", STRING, "The row of the outbox: the key.", required=True),
    Column(
        "status",
        STRING,
        "sent; rejected; in_doubt: the request went out and its answer is not known; left_out: older than --since when "
        "it was new.",
        required=True,
    ),
    Column(
        "reason",
        STRING,
        "Why it was rejected, left out, or is in doubt; or what a person should know of a row that was sent; 'removed "
        "...' after retain_sent_days, where the target is told of persons.",
    ),
    Column(
        "response_code",
        BIGINT,
        "The HTTP status of the last answer; null where no request was made, or none came back.",
    ),
    Column("attempts", BIGINT, "How many requests went out for this content.", required=True),
    Column(
        "content_hash",
        STRING,
        "The fingerprint of what was sent: other content is another sending.",
        required=True,
    ),
    Column(
        "content",
        JSON,
        "What was sent: the row of the outbox without its key, as JSON; after retain_sent_days without numbers, texts "
        "and ids of users. Not published where it has them.",
    ),
    Column(
        "answer",
        JSON,
        "What the vendor's answer left to keep: keys, ids, prices, as JSON; after retain_sent_days without numbers. "
        "Not published where content is not.",
    ),
    Column("first_sent_at", INSTANT, "When the key was first sent.", required=True),
    Column(
        "sent_at",
        INSTANT,
        "When its last request ended, or when it was rejected or marked here.",
        required=True,
    ),
    Column(
        "identities",
        JSON,
        "Every name under which the vendor was ever told of it (for Keitaro subid and tid): identity, state (stands, "
        "withdrawn, passed on), content as sent, at. What content says of retain_sent_days and of publishing holds "
        "here, too.",
    ),
    Column("occurred_on", DATE, "The day of the row, where its outbox dates its rows."),
    Column(
        "outbox",
        STRING,
        "The outbox that it was first sent from: a table, a view, a ready-made query, or a query's fingerprint.",
    ),
    Column("epoch", BIGINT, "The number of the send that wrote this line, counted from 1."),
)


def ledger(name: str, says: str = "", staged: Staged | None = None) -> Table:
    """The ledger of that name."""
    return Table(name, says, COLUMNS, MERGED, ("send_key",), staged=staged)
