"""A person on the way through loads, rejects, sends, a close and the copy; and a search of every byte that is left."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from conversync.sandbox import Sandbox
from tests.besitos.rows import row
from tests.keitaro.books import conversion
from tests.process.support import Done, ProcessPool, Wish

PERSON, OTHER = "canaryUser4d1c", "somebodyElse77"
# What the table of who is who calls the person.
CLICK = "canaryclick77"
MAIL = "canary.person@example.org"
KEY = "a key of the tests, and of nobody else"
FROM, TO = "2024-12-01", "2024-12-20"
LOADS = ("load", "besitos", "keitaro", "--from", FROM, "--to", TO)
SEND = ("send", "keitaro.conversions", "--from", "besitos", "--since", FROM)
EVERY_TABLE = """
    select schema_name, table_name, list(column_name) from duckdb_columns() where not internal
    group by all order by all
"""
MONEY = {
    "now": "select * exclude (user_id, user_key, note) from besitos.conversions order by 1",
    "history": "select event_key, payout, reward, currency, valid_from, valid_to from besitos.conversion_events "
    "order by all",
    "changes": "select * from besitos.revenue_changes order by all",
    "clicks": "select conversion_id, tid, status, revenue, valid_from, valid_to from keitaro.conversion_events "
    "order by all",
    "books": "select * from books.reported order by all",
    "periods": "select sha256, totals from books.periods order by all",
    "sent": "select status, attempts, occurred_on, first_sent_at, sent_at from sent.keitaro_conversions order by all",
}


def forms(*ids: str) -> set[bytes]:
    """An id, in small letters as what is searched is, and its hashes without a key, hexadecimal and in base64."""
    found = {one.lower().encode() for one in ids}
    for one in {form for name in ids for form in (name, name.lower(), name.upper())}:
        for make in (hashlib.md5, hashlib.sha1, hashlib.sha256):
            digest = make(one.encode()).digest()
            found |= {digest.hex().encode(), base64.b64encode(digest).lower(), digest}
    return found


@dataclass
class Story:
    """A project's folder, and commands in it."""

    folder: Path
    sandbox: Sandbox
    forks: ProcessPool
    settings: dict[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    """What every command is told of the destination."""

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """Of every command."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "CONVERSYNC_PRIVACY_KEY": KEY,
            "HTTP_BUDGET": "0",
            **self.sandbox.settings(),
            **self.settings,
        }

    def run(self, *words: str, code: int | None = 0, at: int = 0, points: str | None = None) -> Done:
        """A forked command, as it ended."""
        wish = Wish([*words, *self.where], self.environment, str(self.folder), at=at, points=points)
        done = self.forks.start(wish).wait()
        wanted = -signal.SIGKILL if at else code
        assert wanted is None or done.code == wanted, f"{words}: {done.code} {done.told}"
        return done

    def serve(self, *more: dict[str, Any], payout: float = 11.05, user: str = PERSON) -> None:
        """Two conversions of the person's, one of them in euros as an unknown field says; another's; a bad row."""
        told = {"email": MAIL, "player": PERSON.upper()}
        self.sandbox.besitos.rows = [
            row(900, user_id=user, note=f"for {PERSON}", payout=payout, **told),
            row(901, user_id=PERSON.upper(), currency_code="EUR", payout=7, **told),
            row(902, user_id=OTHER, payout=5),
            row(903, user_id=OTHER, payout=3, note=f"brought by {PERSON}, and thanks"),
            row(905, user_id=PERSON, reward=f"much for {PERSON}", **told),
            *more,
        ]

    def track(self) -> None:
        """What the tracker has: the sale that it was sent, with the person's id in other places, too."""
        common = {
            "datetime": "2024-12-05 06:25:36",
            "click_datetime": "2024-12-05 06:20:00",
            "status": "sale",
        }
        self.sandbox.keitaro.rows = [
            conversion(
                1, sub_id=PERSON.swapcase(), tid="900", revenue="11.05", sub_id_3=f"uid={PERSON}", **common
            ),
            conversion(2, sub_id=CLICK, tid="x-2", revenue="4", sub_id_1=MAIL, **common),
            conversion(3, sub_id="clickofanother", tid="x-3", revenue="6", sub_id_2="offer5", **common),
        ]

    def tell(self) -> None:
        """Two nights, a send, a close."""
        for name in ("tmp", ".dlt"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / ".dlt" / "config.toml").write_text('[send.keitaro]\nsend_player_ids = "user_id"\n')
        self.serve(payout=10)
        self.track()
        self.run(*LOADS, code=3)
        self.serve(user=PERSON.swapcase())
        self.run(*LOADS, code=0)
        self.run(*SEND)
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create table main.player_ids (user_key varchar, subid varchar)")
            connection.execute(
                "insert into main.player_ids values (?, ?), (?, 'c-2')", [PERSON.lower(), CLICK, OTHER]
            )
            connection.execute("create table main.notes (id integer primary key, words varchar not null)")
            connection.execute("insert into main.notes values (1, ?), (2, 'nobody')", [f"ask {PERSON}!"])
        self.run("close", "2024-12", "--force", "--why", "a test")
        self.run("publish")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a reader sees."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    def catalog(self) -> list[tuple[Any, ...]]:
        """Tables, views, columns with their sentences, keys and functions."""
        return self.rows(
            "select schema_name, table_name, column_name, data_type, is_nullable, comment from duckdb_columns() "
            "where not internal union all "
            "select schema_name, table_name, null, null, null, comment from duckdb_tables() union all "
            "select schema_name, view_name, sql, null, null, comment from duckdb_views() where not internal union all "
            "select schema_name, table_name, constraint_text, null, null, null from duckdb_constraints() union all "
            "select schema_name, function_name, macro_definition, null, null, comment from duckdb_functions() "
            "where not internal order by all"
        )

    def money(self) -> dict[str, Any]:
        """All that must not move."""
        return {name: self.rows(query) for name, query in MONEY.items()}

    def hits(self, *ids: str) -> list[str]:
        """Every file, every table and every packed state in which any form of any of them stands."""
        wanted, found = forms(*ids), set[str]()
        for path in (one for one in self.folder.rglob("*") if one.is_file()):
            data = path.read_bytes().lower()
            found |= {f"{path.relative_to(self.folder)}" for form in wanted if form in data}
            if path.suffix == ".duckdb":
                found |= {
                    f"{path.name}: {place}" for place, text in texts(path) for form in wanted if form in text
                }
        return sorted(found)


def texts(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table and view, in small letters; states unpacked."""
    with duckdb.connect(str(path), read_only=True) as connection:
        for schema, table, columns in connection.execute(EVERY_TABLE).fetchall():
            listed = ", ".join(f'cast("{column}" as varchar)' for column in columns)
            for cells in connection.execute(f'select {listed} from "{schema}"."{table}"').fetchall():
                yield f"{schema}.{table}", json.dumps(cells, ensure_ascii=False).lower().encode()
                if table == "_dlt_pipeline_state":
                    packed = cells[columns.index("state")]
                    yield f"{schema}.{table}", zlib.decompress(base64.b64decode(packed)).lower()
