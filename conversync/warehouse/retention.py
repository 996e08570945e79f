"""For how long what tells of a person is kept: the settings, and the rows that were set aside.

What goes is text, numbers and rows as they came; keys, fingerprints, amounts, days and statuses stay, so that every sum
and every "sent once" holds. docs/privacy.md lists the places.
"""

from __future__ import annotations

import pendulum
from pendulum import DateTime

from conversync.count_words import rows
from conversync.errors import SettingsError
from conversync.settings import lookup
from conversync.types import Pipeline
from conversync.warehouse import query, undoable

# Of each setting, the days without it.
DEFAULTS = {"retain_sent_days": 180, "retain_rejected_days": 90}
OFF = "off"
YES, NO = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
# A row that is still set aside, and was not served for so long, will not be mended: then its days begin.
GIVEN_UP_AFTER = pendulum.duration(days=365)
MOST_DAYS = 36_500


def cutoff(name: str) -> DateTime | None:
    """What is older goes; None where the setting is "off". SettingsError for what cannot be meant."""
    text = lookup.preference(name, f"CONVERSYNC_{name.upper()}") or str(DEFAULTS[name])
    if text.strip().lower() == OFF:
        return None
    days = int(text) if text.strip().isascii() and text.strip().isdigit() else 0
    if not 0 < days <= MOST_DAYS:
        raise SettingsError(
            f'{name} is "{text}", but must be a number of whole days, at least 1, or "{OFF}".'
        )
    return pendulum.now("UTC").subtract(days=days)


def publishes_all() -> bool:
    """Whether texts, numbers and rows as they came are published, too: publish_personal."""
    text = (lookup.preference("publish_personal", "CONVERSYNC_PUBLISH_PERSONAL") or "false").strip().lower()
    if text not in YES | NO:
        raise SettingsError(f'publish_personal is "{text}", but must be true or false.')
    return text in YES


def check() -> None:
    """SettingsError, before any request, where the settings cannot be meant."""
    publishes_all()
    for name in DEFAULTS:
        cutoff(name)


def forget_rejected(pipeline: Pipeline) -> str | None:
    """Takes the text out of rows of `rejected_rows` that are long resolved; what was done as a sentence, if anything.

    The row itself stays: its hash, its reason, when it was seen. Where the vendor serves it again, so is its text. What
    is kept of such a row to take a load back by loses it, too.
    """
    before = cutoff("retain_rejected_days")
    if before is None or not _has(pipeline, "rejected_rows", "resolved_at"):
        return None
    with pipeline.sql_client() as client:
        place = client.make_qualified_table_name("rejected_rows")
        bounds = (before, before - GIVEN_UP_AFTER)
        if "rejected_rows" in undoable.copies(client):
            kept = client.make_qualified_table_name(undoable.PREFIX + "rejected_rows")
            client.execute_sql(f"update {kept} set raw = null where {_OLD}", *bounds)  # noqa: S608 - our own names
        [[count]] = query.rows(client, f"select count(*) from {place} where {_OLD}", *bounds)  # noqa: S608 - our own names
        if not count:
            return None
        client.execute_sql(f"update {place} set raw = null where {_OLD}", *bounds)  # noqa: S608 - as above
    return f"the text of {rows(count)} set aside and long resolved was removed, as retain_rejected_days says"


_OLD = "raw is not null and (resolved_at < %s or (resolved_at is null and last_seen < %s))"


def _has(pipeline: Pipeline, table: str, column: str) -> bool:
    """Whether the destination has the column, by what the loads noted."""
    known = pipeline.default_schema if pipeline.default_schema_name else None
    return (
        known is not None
        and table in known.data_table_names(seen_data_only=True)
        and column in known.tables[table]["columns"]
    )
