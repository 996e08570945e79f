"""MariaDB, by dlt's `sqlalchemy`: texts, times and amounts stand there as they came, and keys are told apart exactly.

Every table is InnoDB's, in utf8mb4 with the collation that compares bytes and pads nothing: in the server's own one,
'a' and 'A' would be one event. Texts are LONGTEXT, and keys of a length that an index takes; strict mode refuses what
does not fit. A time is a DATETIME(6) in UTC, and sessions are in UTC. A name may stand in double quotes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa  # type: ignore[import-not-found,unused-ignore] # an extra's
from sqlalchemy.dialects.mysql import LONGTEXT, TINYINT  # type: ignore[import-not-found,unused-ignore] # as above

from conversync.dlt_internals.sqlalchemy import (
    MysqlDialectCapabilities,
    MysqlVariantTypeMapper,
    register_dialect_capabilities,
)
from conversync.errors import SettingsError
from conversync.types import SqlClient
from conversync.warehouse.query import rows

COLLATION = "utf8mb4_nopad_bin"
# Signs of a key, of four bytes each; an index takes 3072 bytes.
KEY_LENGTH = 768
# Zones that a server with any knows.
PROBED = ("UTC", "Europe/Berlin")
_TEXTS = re.compile(r"'([A-Za-z0-9_+/-]+)'")
KEYS = ("primary_key", "merge_key", "unique", "row_key", "x-row-version")
SESSION = (
    f"set session time_zone = '+00:00', collation_connection = {COLLATION}, "
    "sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,"
    "NO_ZERO_DATE,NO_ZERO_IN_DATE'"
)


class Types(MysqlVariantTypeMapper):
    """dlt's, but for texts: JSON is kept as the text that came."""

    def db_type_from_text_type(self, column: Any, table: Any) -> Any:  # noqa: ARG002 - dlt's
        """A key, or a text of any length."""
        return sa.String(KEY_LENGTH) if any(column.get(hint) for hint in KEYS) else LONGTEXT()

    def db_type_from_json_type(self, column: Any, table: Any) -> Any:
        """As text."""
        return self.db_type_from_text_type(column, table)

    def from_destination_type(self, db_type: Any, precision: Any = None, scale: Any = None) -> Any:
        """A truth is kept as a number."""
        if isinstance(db_type, TINYINT):
            return {"data_type": "bool"}
        return super().from_destination_type(db_type, precision, scale)


class Capabilities(MysqlDialectCapabilities):
    """What dlt asks of the dialect."""

    def type_mapper_class(self) -> type[Types]:
        """Ours."""
        return Types

    def adapt_table(self, table: sa.Table, table_schema: Any) -> sa.Table:
        """Whatever the server has as its own; keys are found by indexes."""
        for dialect in ("mysql", "mariadb"):
            options = table.dialect_options[dialect]
            options["engine"], options["charset"], options["collate"] = "InnoDB", "utf8mb4", COLLATION
        made = {index.name for index in table.indexes}
        for name, column in table_schema["columns"].items():
            called = f"by_{name}"[:64]
            if (column.get("merge_key") or column.get("primary_key")) and called not in made:
                sa.Index(called, table.c[name])
        return table


def check(client: SqlClient, zones: Iterable[str] = PROBED) -> None:
    """SettingsError where the server does not know these zones: without them a day in a zone would be null.

    `client` is open.
    """
    for zone in zones:
        [[there]] = rows(client, "select convert_tz('2024-01-01', '+00:00', %s) is not null", zone)
        if not there:
            raise SettingsError(
                f"The MariaDB server does not know the zone {zone}, so days in it would be missing: have its zones "
                "loaded (mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql)."
            )


def check_view(client: SqlClient, body: str) -> None:
    """The same of the zones that a view names, in MariaDB's words."""
    check(client, sorted({name for name in _TEXTS.findall(body) if name in available_timezones()}))


@cache
def settle() -> None:
    """From now on dlt's tables and sessions on MariaDB are so; once is enough."""
    register_dialect_capabilities("mariadb", Capabilities)
    # Of dlt's own merges, which mean it.
    warnings.filterwarnings("ignore", "implicitly coercing SELECT object", sa.exc.SAWarning)

    sa.event.listen(sa.Engine, "connect", _begin)


def _begin(connection: Any, _record: Any) -> None:
    if "pymysql" in type(connection).__module__:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
