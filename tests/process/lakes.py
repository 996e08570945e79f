"""A place whose copy is published as the tables of a lake, too, and what readers of that lake see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table

from tests.process.support import Done, Place

# What of the copy is no table of the lake, or not to be compared as such.
TABLES = """
    select schema_name || '.' || table_name, comment from duckdb_tables()
    where not internal and schema_name <> 'privacy' and table_name not like '\\_%' escape '\\' order by all
"""


# What Delta's log would tell of a file's values.
BOUNDS = re.compile(r"minValues|maxValues")


class Lake:
    """The folder `lake` of a place, in one format."""

    def __init__(self, place: Place, kind: str) -> None:
        self.place, self.kind = place, kind
        self.folder = place.folder / "lake"
        place.env |= {"CONVERSYNC_PUBLISHED_LAKE": str(self.folder), "CONVERSYNC_PUBLISHED_LAKE_FORMAT": kind}

    def publish(self, **wish: Any) -> Done:
        """To a good end."""
        done = self.place.run("publish", **wish)
        assert done.code == 0, done.told
        return done

    def copy(self, query: str) -> list[tuple[Any, ...]]:
        """What a reader of the copy sees."""
        with duckdb.connect(
            str(self.place.folder / "published" / "warehouse.duckdb"), read_only=True
        ) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    def names(self) -> set[str]:
        """The tables that are there."""
        if self.kind == "delta":
            return {f"{log.parts[-3]}.{log.parts[-2]}" for log in self.folder.glob("*/*/_delta_log")}
        known = (self._catalog.list_tables(one) for one in self._catalog.list_namespaces())
        return {".".join(name) for names in known for name in names}

    def table(self, name: str) -> pa.Table:
        """All of one, as the format's own library reads it."""
        if self.kind == "delta":
            return self._delta(name).to_pyarrow_table()
        return self._iceberg(name).scan().to_arrow()

    def rows(self, name: str, query: str = "from found order by all") -> list[tuple[Any, ...]]:
        """What a query says of one, which it knows as `found`."""
        found = self.table(name)
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.register("found", found)
            return connection.execute(query).fetchall()

    def said(self, name: str) -> tuple[str, Mapping[str, str]]:
        """What is said of a table, and of its columns."""
        if self.kind == "delta":
            delta = self._delta(name)
            fields = delta.schema().fields
            told = {one.name: str(one.metadata["comment"]) for one in fields if "comment" in one.metadata}
            return delta.metadata().description or "", told
        iceberg = self._iceberg(name)
        docs = {one.name: one.doc for one in iceberg.schema().fields if one.doc}
        return iceberg.properties.get("comment", ""), docs

    def version(self, name: str) -> object:
        """Another one after each commit."""
        return self._delta(name).version() if self.kind == "delta" else self._iceberg(name).metadata_location

    def files(self) -> list[Path]:
        """All that hold rows, of whatever version."""
        return sorted(self.folder.rglob("*.parquet"))

    def files_of(self, name: str, pattern: str = "*") -> list[Path]:
        """Of one table."""
        return sorted((self.folder / name.replace(".", "/")).rglob(pattern))

    def stranger(self, name: str, rows: pa.Table) -> None:
        """Somebody else's table."""
        if self.kind == "delta":
            write_deltalake(self.folder / name.replace(".", "/"), rows)
            return
        self.folder.mkdir()
        self._catalog.create_namespace("main")
        self._catalog.create_table(name, rows.schema, location=str(self.folder / "theirs")).append(rows)

    def meddle(self, name: str) -> None:
        """Somebody adds to a table of ours what it has already."""
        rows = self.table(name)
        if self.kind == "delta":
            write_deltalake(self._delta(name), rows, mode="append")
        else:
            self._iceberg(name).append(rows)

    def holds(self, word: str) -> bool:
        """Whether any file has a text with that in it, in small letters."""
        found = (str(pq.read_table(path).to_pydict()).lower() for path in self.files())
        return any(word.lower() in text for text in found)

    def told(self) -> list[str]:
        """The values that are told of files, of whatever version, outside of them."""
        if self.kind == "delta":
            return [word for path in self.folder.rglob("*.json") for word in BOUNDS.findall(path.read_text())]
        tables = [self._catalog.load_table(name) for name in self.names()]
        entries = [
            entry.data_file
            for table in tables
            for snapshot in table.snapshots()
            for manifest in snapshot.manifests(table.io)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
        ]
        assert entries
        return [str(bounds) for one in entries for bounds in (one.lower_bounds, one.upper_bounds) if bounds]

    def is_the_copy(self) -> None:
        """Every table of it is here, with its rows, and nothing else."""
        names = [name for name, _ in self.copy(TABLES)]
        assert self.names() == set(names)
        for name in names:
            assert self.rows(name) == self.copy(f"from {name} order by all"), name

    def _delta(self, name: str) -> DeltaTable:
        return DeltaTable(self.folder / name.replace(".", "/"))

    def _iceberg(self, name: str) -> Table:
        return self._catalog.load_table(name)

    @property
    def _catalog(self) -> Catalog:
        return load_catalog("conversync", type="sql", uri=f"sqlite:///{self.folder}/catalog.sqlite")
