"""What is kept of Infobip: counts of pairs of tags, and the processes and tags that the settings name."""

from __future__ import annotations

from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    EXTRA,
    INSERTED,
    INSTANT,
    MERGED,
    MONEY,
    REPLACED,
    STRING,
    Column,
    Table,
)
from conversync.monitor.view_columns import dated_views
from conversync.send.tables import ledger

_PAIR = ("process_key", "start_tag", "end_tag")

# Counts of a past day grow as users convert.
CONVERSION_RATES = Table(
    "conversion_rates",
    "A pair of tags on one day: who passed the start, and how many of them the end.",
    (
        Column("process_key", STRING, "The process that is tracked.", required=True),
        Column(
            "start_tag",
            STRING,
            "The tag that begins the way; empty where the pair leaves it out.",
            required=True,
        ),
        Column("end_tag", STRING, "The tag that ends it; empty where the pair leaves it out.", required=True),
        Column("day", DATE, "The UTC day of the start tag.", required=True),
        Column("start_count", BIGINT, "How many users passed the start tag on that day.", required=True),
        Column("end_count", BIGINT, "How many of them passed the end tag, whenever.", required=True),
        Column(
            "conversion_rate",
            DOUBLE,
            "end_count by start_count, as the vendor says; null where nobody started.",
        ),
        Column("granulation", STRING, "How the vendor cut time, as it came."),
        Column("start_frame_from", INSTANT, "Since when start tags count."),
        Column("start_frame_to", INSTANT, "Until when start tags count."),
        Column("end_frame_from", INSTANT, "Since when end tags count."),
        Column("end_frame_to", INSTANT, "Until when end tags count."),
        Column(
            "average_seconds",
            DOUBLE,
            "The average time from start to end, in seconds, where the vendor tells it here.",
        ),
        Column("average_time", DOUBLE, "The same as it came."),
        Column("time_unit", STRING, "The unit in which it came."),
        Column("answered_start_tag", STRING, "The start tag that the vendor took."),
        Column("answered_end_tag", STRING, "The end tag that the vendor took."),
        EXTRA,
    ),
    REPLACED,
    (*_PAIR, "day"),
    day="day",
    is_compared=True,
    sums=("start_count", "end_count"),
)
CONVERSION_TIMES = Table(
    "conversion_times",
    "A pair of tags and a window: how long it took on average.",
    (
        *CONVERSION_RATES.named(*_PAIR),
        Column("start_from", INSTANT, "Since when start tags count.", required=True),
        Column("start_to", INSTANT, "Until when start tags count; not included.", required=True),
        Column("end_from", INSTANT, "Since when end tags count.", required=True),
        Column("end_to", INSTANT, "Until when end tags count; not included.", required=True),
        Column(
            "window_days", BIGINT, "How many days of start tags: 1 for a day, 30 for the trailing 30 days."
        ),
        Column("average_seconds", DOUBLE, "The average time from start to end, in seconds."),
        *CONVERSION_RATES.named("average_time", "time_unit"),
        Column("start_count", BIGINT, "How many users passed the start tag."),
        Column("end_count", BIGINT, "How many of them passed the end tag in its window."),
        *CONVERSION_RATES.named("conversion_rate", "answered_start_tag", "answered_end_tag", "extra"),
    ),
    REPLACED,
    (*_PAIR, "start_from", "start_to", "end_from", "end_to"),
    is_compared=True,
    compared_on="start_from",
    # An average over the trailing days belongs to the night that asked for it: only averages of one day are compared.
    where="start_to = start_from + interval 1 day and end_from = start_from",
    sums=("start_count", "end_count"),
)
# What is known of a process or a tag beyond its key is what the vendor answered when it was created: a setting knows
# the key alone, and never takes the place of that.
PROCESSES = Table(
    "processes",
    "The processes of the settings.",
    (
        Column("key", STRING, "The process: the key.", required=True),
        Column("name", STRING, "Its name, where we created it."),
        Column("description", STRING, "What it is for."),
        Column("process_type", STRING, "Its kind, as the vendor says."),
        Column("time_added", INSTANT, "When it was created."),
        EXTRA,
    ),
    INSERTED,
    ("key",),
    is_news=False,
)
TAGS = Table(
    "tags",
    "The tags of the settings.",
    (
        Column("process_key", STRING, "The process it belongs to.", required=True),
        Column("key", STRING, "The tag.", required=True),
        Column("name", STRING, "Its name, where we created it."),
        Column("description", STRING, "What it marks."),
        Column("process_tag_type", STRING, "Its kind, as the vendor says."),
        EXTRA,
    ),
    INSERTED,
    ("process_key", "key"),
    is_news=False,
)
# The setting that says how many days before its cursor a pair is read again.
LOOKBACK = "infobip_lookback_days"
TABLES = (
    CONVERSION_RATES,
    CONVERSION_TIMES,
    PROCESSES,
    TAGS,
    *dated_views("a UTC day", lateness=False),
)
MESSAGE_RESULTS = Table(
    "infobip_message_results",
    "What became of a message at each of its addresses.",
    (
        Column("send_key", STRING, "The message, as sent.infobip_messages names it."),
        Column(
            "address",
            STRING,
            "The address: with send_key the key; 'removed ...' after retain_sent_days. Not published: null.",
        ),
        Column("accepted", BOOLEAN, "Whether the vendor took the message for this address."),
        Column("message_status", STRING, "The vendor's word for it."),
        Column("message_id", STRING, "The vendor's id of the message."),
        Column("error_message_id", STRING, "The vendor's id of what went wrong."),
        Column("price", MONEY, "What the message cost, in the account's currency."),
        Column("process_log_key", STRING, "The key under which later logs belong to this user."),
        Column(
            "client_correlator",
            STRING,
            "The name of the request: ours, or the vendor's where it made one.",
        ),
        Column("resource_url", STRING, "Where the vendor tells of the delivery."),
        Column("url_process_tracking_key", STRING, "The process that tracks links in the message."),
    ),
    MERGED,
    ("send_key", "address"),
    staged=None,
)
LEDGERS = (
    ledger("infobip_processes", "Processes that were created at Infobip."),
    ledger("infobip_tags", "Tags that were created at Infobip."),
    ledger("infobip_logs", "Logs of users who passed a tag, as told to Infobip."),
    ledger(
        "infobip_messages",
        "Tracked messages that were sent, a row for each message, to one or many addresses.",
    ),
    MESSAGE_RESULTS,
)
