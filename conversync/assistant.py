"""A server of the Model Context Protocol over stdin and stdout, by the official SDK: an assistant asks the warehouse.

It can write nothing: its tools are commands that only read, and one SELECT of the assistant's, in the confines of an
outbox's query (see warehouse/confined_sql.py). It sees no secret: settings are no tool, what vendors said is masked,
and a query reads the published copy where there is one, which leaves out raw rows and addresses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum

from conversync.errors import ConversyncError, SettingsError
from conversync.types import Document

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from conversync.warehouse.warehouse import Warehouse

# Of a query: rows that an assistant is given, and seconds that it may take.
MOST_ROWS = 500
SECONDS = 60.0
# Of a command.
COMMAND_SECONDS = 300.0
_COMMAND = "from conversync.cli.main import main; main()"
INSTRUCTIONS = """
Conversions of marketing vendors, as their own feeds have them. Amounts are text, with their currency beside them: never
add up different currencies. A reversal takes a sale back; net is what is left. Days are those of each vendor's zone.
Look at `status` before you state a figure: days that are unread or short are not complete. `explain` says why a figure
moved, to the cent. Tables and columns: query information_schema.tables and .columns; the schema `marts` is for people.
""".strip()


@dataclass(frozen=True)
class Assistant:
    """What an assistant may ask of one warehouse. Each answer is a JSON document; ConversyncError has the sentence."""

    place: Warehouse
    project: str | None = None

    def status(self, days: int | None = None) -> Document:
        """How fresh and complete every source is, what was set aside, and what of the sends is in doubt.

        `days`: only so many days back.
        """
        return dict(self._told("status", *_options(days=days)))

    def books(self, period: str | None = None) -> Document:
        """Of each closed month and currency: as reported, corrections since, as known now, and the difference.

        `period`: one month, such as 2026-10.
        """
        return {"periods": self._told("books", *_options(period=period), also=(1,))}

    def explain(
        self,
        transaction_id: str | None = None,
        day: str | None = None,
        period: str | None = None,
        since: str | None = None,
        offer: str | None = None,
        currency: str | None = None,
        vendor: str | None = None,
    ) -> Document:
        """Why a figure moved, as transactions whose changes add up to it; or one transaction's whole life.

        Say one of `transaction_id`, `day` (with `since`) and `period` (a closed one since it was closed).
        """
        if transaction_id is not None and transaction_id.startswith("-"):
            raise SettingsError(f"Nobody knows the transaction {transaction_id}.")
        asked = _options(day=day, period=period, since=since, offer=offer, currency=currency, vendor=vendor)
        found = self._told("explain", *([transaction_id] if transaction_id else []), *asked)
        return dict(found)

    def as_of(self, vendor: str, moment: str, first_day: str, last_day: str) -> Document:
        """Revenue of some days as it was known at a moment, by currency: gross, reversed and net.

        `moment` is a time with its offset, such as 2026-11-03T06:00:00Z; the days are the vendor's.
        """
        from conversync.books.lines import in_the_books

        [chosen] = in_the_books([vendor])
        at = pendulum.parse(moment)
        if not isinstance(at, pendulum.DateTime):
            raise SettingsError(f'"{moment}" is no moment: write one as 2026-11-03T06:00:00Z.')
        first, last = (pendulum.Date.fromisoformat(day) for day in (first_day, last_day))
        return self.query(
            "select currency, count(*) as conversions, sum(gross_revenue) as gross_revenue, "  # noqa: S608 - parsed
            "sum(reversed_revenue) as reversed_revenue, sum(net_revenue) as net_revenue "
            f"from {chosen.dataset}.revenue_as_of(cast('{at.isoformat()}' as timestamp with time zone)) "
            f"where occurred_on between date '{first}' and date '{last}' group by currency order by currency"
        )

    def query(self, sql: str) -> Document:
        """One SELECT over the warehouse's tables and views: the columns, and at most 500 rows, amounts as text.

        `more` says whether there were more rows. It reads no file and no address, and ends after a minute.
        """
        from conversync.warehouse import confined_sql

        with self._reading() as (client, note), confined_sql.asked(client, sql, SECONDS) as cursor:
            rows = list[Any]()
            while len(rows) <= MOST_ROWS and (more := cursor.fetchmany(MOST_ROWS)):
                rows += more
            columns = [str(column[0]) for column in cursor.description]
        return {
            "columns": columns,
            "rows": [[_plain(value) for value in row] for row in rows[:MOST_ROWS]],
            "more": len(rows) > MOST_ROWS,
            "read_from": note,
        }

    @contextmanager
    def _reading(self) -> Iterator[tuple[Any, str]]:
        """A session that only reads, of the published copy where there is one; and what it reads, as a sentence."""
        from conversync.books import store
        from conversync.dlt_errors import translate_errors
        from conversync.monitor.overview import opened
        from conversync.warehouse.publish import published_path
        from conversync.warehouse.warehouse import Warehouse

        copy = published_path(self.place) if self.place.destination == "duckdb" else None
        place = Warehouse(copy) if copy is not None and copy.exists() else self.place
        with (
            tempfile.TemporaryDirectory() as folder,
            translate_errors(),
            opened(place) as (readable, note),
            store.reading(readable, Path(folder)) as client,
        ):
            yield client, note or ("the published copy" if place is not self.place else "the warehouse")

    def _told(self, command: str, *argv: str, also: Sequence[int] = ()) -> Any:
        """What a command of ours says with --json; `also` are exit codes beside 0 with which it says it."""
        whose = [] if self.project is None else ["--project", self.project]
        place = ["--destination", self.place.destination]
        if self.place.destination == "duckdb":
            place += ["--warehouse", str(self.place.path)]
        try:
            ended = subprocess.run(  # noqa: S603 - our own interpreter and command
                [sys.executable, "-P", "-c", _COMMAND, command, *argv, "--json", *place, *whose],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConversyncError(
                f"conversync {command} took longer than {COMMAND_SECONDS:.0f} seconds and was ended: ask for less."
            ) from None
        if ended.returncode not in (0, *also):
            raise ConversyncError(
                ended.stderr.strip() or f"conversync {command} ended with {ended.returncode}."
            )
        return json.loads(ended.stdout)


def server(assistant: Assistant) -> MCPServer:
    """The tools of the protocol; `run()` serves them until its input ends. SettingsError without the extra `mcp`."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError:
        raise SettingsError('This needs the extra: pip install "conversync[mcp]".') from None
    found = MCPServer("conversync", instructions=INSTRUCTIONS)
    for tool in (assistant.status, assistant.books, assistant.explain, assistant.as_of, assistant.query):
        hints = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        found.tool(annotations=hints)(_with_sentences(tool))
    return found


def _with_sentences(tool: Any) -> Any:
    """The tool, whose refusals reach the assistant as the sentence that a person would read."""
    from functools import wraps

    from mcp.server.mcpserver.exceptions import ToolError

    from conversync.dlt_internals import DatabaseException
    from conversync.http.redact import redact
    from conversync.warehouse.query_process import QueryError

    @wraps(tool)
    def asked(*args: Any, **values: Any) -> Any:
        try:
            return tool(*args, **values)
        except (ConversyncError, DatabaseException, QueryError, TimeoutError, ValueError) as error:
            raise ToolError(redact(str(error))) from None

    return asked


def _options(**values: object) -> list[str]:
    """Those that were said, as a command's options."""
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def _plain(value: Any) -> Any:
    """A value as JSON has it; amounts, days and times as text."""
    return value if isinstance(value, bool | int | str | None) else str(value)
