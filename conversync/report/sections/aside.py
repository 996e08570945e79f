"""Rows that were set aside, and sends in doubt."""

from __future__ import annotations

from conversync.report import numbers
from conversync.report.markup import Html, strong
from conversync.report.parts import Column, finding, missing, more, queries, section, table, vendor_name
from conversync.report.reading import Reader


def rejected(reader: Reader) -> Html:
    """How many rows could not be read, why, and the newest; never the rows themselves, which may name players."""
    title = "Rows set aside"
    if not reader.has_rejected_rows:
        return section("rejected", title, missing("No source was loaded that could have set rows aside."))
    reasons, newest = reader.ask("rejected"), reader.ask("rejected_newest")
    if not reasons.rows:
        said = finding(strong("No row is set aside"), ": every row that any vendor serves could be read.")
        return section("rejected", title, said, queries(reasons))
    total = sum(row["rows_set_aside"] for row in reasons.rows)
    last = max(row["last_seen"] for row in reasons.rows)
    columns = (
        Column("reason", "Reason", numbers.sentence_case, lambda row: vendor_name(row["source"])),
        Column("rows_set_aside", "Rows", numbers.count),
        Column("first_seen", "First met (UTC)", numbers.moment),
        Column("last_seen", "Last met (UTC)", numbers.moment),
    )
    return section(
        "rejected",
        title,
        finding(
            strong(numbers.many(total, "row")),
            f" could not be read as what the vendor promises, and {'is' if total == 1 else 'are'} in no figure "
            f"above; last met on {numbers.moment(last)} UTC. The rows stand as they came in "
            "rejected_rows, column raw, of each source.",
        ),
        table(reasons, columns, "Rows set aside, by reason"),
        more("The newest", table(newest, _NEWEST, "The ten rows that were set aside last")),
        queries(reasons, newest),
    )


def sends(reader: Reader) -> Html | None:
    """What was sent, and of what nobody knows whether it arrived; None where nothing was ever sent."""
    if not reader.has_ledgers:
        return None
    all_sends, doubtful = reader.ask("sends"), reader.ask("sends_in_doubt")
    doubt = sum(row["sends"] for row in all_sends.of(status="in_doubt").rows)
    arrived = sum(row["sends"] for row in all_sends.of(status="sent").rows)
    columns = (
        Column("target", "Target"),
        Column("status", "How it ended", lambda status: str(status).replace("_", " ")),
        Column("sends", "Rows", numbers.count),
        Column("first_sent_at", "First (UTC)", numbers.moment),
        Column("last_sent_at", "Last (UTC)", numbers.moment),
    )
    each = (
        Column("send_key", "Row", str, lambda row: row["target"]),
        Column("attempts", "Requests", numbers.count),
        Column("first_sent_at", "First sent (UTC)", numbers.moment),
        Column("reason", "Reason"),
    )
    said = (
        finding(
            strong(f"{numbers.many(doubt, 'send')} in doubt"),
            ": the request went out, and no answer told whether it arrived. They wait until a person decides: "
            "conversync send TARGET --resend-in-doubt.",
        )
        if doubt
        else finding(strong("No send is in doubt"), f": {numbers.many(arrived, 'row')} arrived.")
    )
    return section(
        "sends",
        "What was sent",
        said,
        table(all_sends, columns, "Sends by target and outcome") if all_sends.rows else None,
        table(doubtful, each, "The oldest sends in doubt") if doubtful.rows else None,
        queries(all_sends, doubtful),
    )


_NEWEST = (
    Column("reason", "Reason", numbers.sentence_case),
    Column("source", "Source", vendor_name, lambda row: row["stream"]),
    Column("window_start", "Asked from", numbers.day),
    Column("window_end", "to", numbers.day),
    Column("first_seen", "First met (UTC)", numbers.moment),
    Column("times_seen", "Times met", numbers.count),
    Column("raw_hash", "raw_hash begins"),
)
