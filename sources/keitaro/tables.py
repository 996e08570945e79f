"""What is kept of Keitaro: the log, the report, the lists that both refer to, and the view of what stands."""

from __future__ import annotations

from conversync.books.histories import CHANGES_TABLE
from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    DATE,
    EXTRA,
    ID,
    INSTANT,
    JSON,
    PAGE,
    STATEMENTS,
    STRING,
    UPSERTED,
    WHOLE_DAYS,
    Column,
    Staged,
    Table,
)
from conversync.extract.field_kinds import INTEGER
from conversync.monitor.view_columns import dated_views
from conversync.send.tables import ledger

from . import statuses
from .kinds import DAY, FIGURE, IDENTITY, NESTED, REFERENCE, WORD

# A day that became empty has one row with this set, which clears it and is not stored.
CLEARED = "is_cleared"

CONVERSION_EVENTS = Table(
    "conversion_events",
    "Every state in which a conversion was read; valid_to is null for what stands.",
    (
        Column(
            "conversion_id", STRING, "The conversion, by whichever id the tracker returns.", required=True
        ),
        Column(
            "status", WORD, "What it is now: lead, sale, rejected, trash, or a status of the tracker's own."
        ),
        Column("previous_status", WORD, "What it was before, as the tracker says."),
        Column("original_status", WORD, "What it was first, as the tracker says."),
        Column("status_history", NESTED, "The tracker's own history, as JSON text."),
        Column("conversion_type", WORD, "The kind of conversion, as the tracker calls it."),
        Column("version", REFERENCE, "The tracker's version of the row."),
        Column("revenue", FIGURE, "What it earned, in currency; a rejected one keeps it."),
        Column("cost", FIGURE, "What its click cost, in currency."),
        Column("currency", IDENTITY, "The currency, where the tracker tells it."),
        Column("tid", IDENTITY, "The transaction id that was posted: the network's, such as Besitos'."),
        Column(
            "sub_id",
            IDENTITY,
            "The click that led to it, as the tracker names clicks.",
            varies=True,
            person=ID,
        ),
        *(
            Column(
                f"sub_id_{number}",
                WORD,
                f"The click's parameter sub_id_{number}, as the campaign sets it.",
                person=ID,
            )
            for number in range(1, 16)
        ),
        Column("campaign_id", REFERENCE, "The campaign, as in campaigns."),
        Column("offer_id", REFERENCE, "The offer, as in offers."),
        Column("affiliate_network_id", REFERENCE, "The network, as in affiliate_networks."),
        Column("ts_id", REFERENCE, "The traffic source, as in traffic_sources."),
        Column("landing_id", REFERENCE, "The landing page, as in landing_pages."),
        Column("country", WORD, "The visitor's country."),
        Column("date_time", STRING, "The conversion's present time, as it came."),
        Column("occurred_at", INSTANT, "The same instant, in UTC."),
        Column("occurred_on", DATE, "Its day in keitaro_zone."),
        Column("click_datetime", INSTANT, "When the click came, in UTC."),
        Column("sale_datetime", INSTANT, "When it became a sale, in UTC."),
        EXTRA,
        Column("statement_hash", STRING, "The fingerprint of what the statement says.", required=True),
        Column("valid_from", INSTANT, "When we first read the statement."),
        Column("valid_to", INSTANT, "When we read another one in its place; null for what stands."),
        PAGE,
    ),
    STATEMENTS,
    ("conversion_id",),
    day="occurred_on",
    reversal=f"{statuses.sql()} = '{statuses.REJECTED}'",
    currency="currency",
    is_compared=True,
    sums=("revenue",),
)
CONVERSIONS = Table(
    "conversions",
    "A row for each conversion: what the tracker last said of it.",
    (
        *CONVERSION_EVENTS.named("conversion_id"),
        Column(
            "status",
            STRING,
            "What it is now: lead, sale, rejected, trash, or a word of the network's own; see kind.",
        ),
        Column("first_status", STRING, "What it was first."),
        Column("previous_status", STRING, "What it was before the present status."),
        Column("changes", BIGINT, "How often its status changed."),
        *CONVERSION_EVENTS.named("conversion_type", "revenue", "cost", "currency", "tid", "sub_id"),
        *CONVERSION_EVENTS.named(*(f"sub_id_{number}" for number in range(1, 16))),
        *CONVERSION_EVENTS.named(
            "campaign_id",
            "offer_id",
            "affiliate_network_id",
            "ts_id",
            "landing_id",
            "country",
            "click_datetime",
            "sale_datetime",
        ),
        Column("occurred_at", INSTANT, "The conversion's present time, in UTC; a posting moves it."),
        *CONVERSION_EVENTS.named("occurred_on", "version"),
        Column("first_seen_at", INSTANT, "When we first read it."),
        Column("statements", BIGINT, "How many statements were read of it."),
        Column(
            "kind",
            STRING,
            "What it counts as: lead, sale, rebill or rejected, by the tracker's conversion_type, else by its "
            "status in whatever letters; null where neither is known to us, and then it counts.",
        ),
        Column("is_rejected", BOOLEAN, "Whether its kind is rejected: its revenue is not earned."),
        Column(
            "rejection_seen_at",
            INSTANT,
            "When we first read that it is rejected, since it last stood; null where it is not.",
        ),
    ),
    staged=Staged(unique="conversion_id"),
)
# As the settings ask for it at first; see `report.Report.table`.
REPORT_DAILY = Table(
    "report_daily",
    "The tracker's own report by day and campaign; a conversion counts on its click's day.",
    (
        Column("day", DAY, "The day in keitaro_zone.", required=True),
        Column("campaign_id", REFERENCE, "The campaign; null under another grouping."),
        Column("clicks", REFERENCE, "How many clicks came."),
        Column("conversions", REFERENCE, "How many conversions they led to."),
        Column("revenue", FIGURE, "What they earned, as the tracker reports it."),
        Column("cost", FIGURE, "What the clicks cost, as the tracker reports it."),
        Column("extra", JSON, "Other metrics and groupings, as JSON text."),
        Column(
            CLEARED,
            BOOLEAN,
            "Set on the row that clears a day which became empty; no such row stays.",
            clears=True,
        ),
    ),
    WHOLE_DAYS,
    ("day", "campaign_id"),
    day="day",
    currency="currency",
    is_compared=True,
    sums=("clicks", "conversions", "revenue", "cost"),
)


def _list(name: str, says: str, staged: Staged | None = None) -> Table:
    return Table(
        name,
        says,
        (
            Column("id", INTEGER, "The tracker's id of it: the key.", required=True),
            Column("name", WORD, "Its name in the tracker."),
            Column("state", WORD, "Its state in the tracker, such as active or deleted."),
            EXTRA,
            Column(
                "is_current",
                BOOLEAN,
                "Whether the tracker's list still has it; what left keeps its name.",
                required=True,
            ),
            Column("last_seen_at", INSTANT, "When the tracker's list last had it.", required=True),
        ),
        UPSERTED,
        ("id",),
        staged=staged,
    )


LISTS = (
    _list("campaigns", "The tracker's campaigns.", Staged()),
    _list("offers", "The tracker's offers.", Staged(unique="id")),
    _list("affiliate_networks", "The networks that pay, as the tracker lists them.", Staged()),
    _list("traffic_sources", "Where clicks come from, as the tracker lists it."),
    _list("landing_pages", "The landing pages of the tracker."),
    _list("domains", "The domains of the tracker."),
)
TABLES = (
    CONVERSION_EVENTS,
    CONVERSIONS,
    REPORT_DAILY,
    *LISTS,
    *dated_views("a UTC day for the log, one in keitaro_zone for the report", lateness=True),
    CHANGES_TABLE,
)
LEDGERS = (
    ledger(
        "keitaro_conversions",
        "Conversions that were sent to the tracker.",
        Staged("Conversions that were sent to the tracker, a row for each send_key.", whole_loads=True),
    ),
)
