"""The tables in which dlt keeps its own books, the same in every dataset; and its columns in ours."""

from __future__ import annotations

from conversync.extract.declared import BIGINT, INSTANT, LOAD_ID, STRING, Column, Table

LOADS = Table(
    "_dlt_loads",
    "The loads that were committed here, a row each.",
    (
        Column("load_id", STRING, "The load, as _dlt_load_id names it: seconds since 1970 when it began."),
        Column("schema_name", STRING, "dlt's name for the source."),
        Column("status", BIGINT, "0: the load is whole. Only such loads count."),
        Column("inserted_at", INSTANT, "When it was committed."),
        Column("schema_version_hash", STRING, "The tables' definition that it was made with."),
    ),
    staged=None,
)
DLT_TABLES = (
    LOADS,
    Table(
        "_dlt_version",
        "The definitions of the tables, each version once; dlt reads them at the start of a load.",
        (
            Column("version", BIGINT, "Counts the versions of the definition."),
            Column("engine_version", BIGINT, "The format of the definition."),
            Column("inserted_at", INSTANT, "When it was written."),
            Column("schema_name", STRING, "dlt's name for the source."),
            Column("version_hash", STRING, "The definition's fingerprint."),
            Column("schema", STRING, "The definition, as JSON text."),
        ),
    ),
    Table(
        "_dlt_pipeline_state",
        "Where the next load goes on: the cursors of every stream, packed; dlt reads the newest.",
        (
            Column("version", BIGINT, "Counts the states."),
            Column("engine_version", BIGINT, "The format of the state."),
            Column("pipeline_name", STRING, "The pipeline whose state it is."),
            Column("state", STRING, "The state: JSON, compressed, in base64."),
            Column("created_at", INSTANT, "When it was made."),
            Column("version_hash", STRING, "The state's fingerprint."),
            Column("_dlt_load_id", STRING, "The load that wrote it."),
        ),
    ),
)
DLT_COLUMNS = {LOAD_ID.name: LOAD_ID.says, "_dlt_id": "dlt's name for the row."}
