"""What the last whole build was made of, and came to: where nothing was written since, there is nothing to build.

The note of it stands beside the warehouse (`.conversync/NAME.built`). Whatever cannot be known is not the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from conversync.types import Document
from conversync.warehouse import files
from conversync.warehouse.query import Rows

# DuckDB's three headers: what file it is, and the two of which each commit into the file writes one anew.
HEADERS = 3 * 4096
# What has a say in a build beside our own files.
PACKAGES = ("conversync", "dbt-core", "dbt-duckdb", "duckdb")


@dataclass(frozen=True)
class Inputs:
    """All that a build is made of, but for the tables, which are in the file; None in it is what cannot be known."""

    project: str
    variables: Mapping[str, object]
    days: Document | None

    def digest(self) -> str | None:
        """One text for all of it."""
        if self.days is None:
            return None
        packages = {name: version(name) for name in PACKAGES}
        told = [self.project, packages, self.variables, self.days]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Note:
    """Where the last build is noted, and what of: `path` beside the `warehouse`, which is a DuckDB file."""

    path: Path
    warehouse: Path

    def same(self, mark: str | None, inputs: Inputs, *, tested: bool) -> Document | None:
        """The report of the last build, if this one would come to the same: it was tested, or this one is not."""
        try:
            held = json.loads(files.read(self.path))
        except (FileNotFoundError, ValueError):
            return None  # none was noted, or somebody wrote there
        asked = {"mark": mark, "inputs": inputs.digest()}
        if not isinstance(held, dict) or None in asked.values() or not asked.items() <= held.items():
            return None
        return dict(held["report"]) if held["tested"] or not tested else None

    def keep(self, inputs: Inputs, report: Mapping[str, object], *, tested: bool) -> None:
        """Notes a build that went well, as it left the file."""
        held = {
            "mark": mark(self.warehouse),
            "inputs": inputs.digest(),
            "tested": tested,
            "report": dict(report),
        }
        files.write(self.path, json.dumps(held))


def mark(warehouse: Path) -> str | None:
    """A text that any write to the file changes; None where some are yet to be taken over from DuckDB's log.

    Not to be asked while this process has the file open: closing it would let go of DuckDB's lock.
    """
    if warehouse.with_name(f"{warehouse.name}.wal").exists():
        return None
    with warehouse.open("rb") as file:
        found = os.fstat(file.fileno())
        digest = hashlib.sha256(file.read(HEADERS))
    digest.update(f"{found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()


def digest_of(folder: Path) -> str:
    """Of all files of the dbt project: their names and what they hold. What dbt itself writes there is left out."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in {"target", "logs"}:
            digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def days_now(rows: Rows, datasets: Iterable[str], names: Collection[str]) -> Document | None:
    """What the views `days` of these datasets say now, as a number each: what changes with the clock alone.

    None where one of them cannot be read: the build will say why.
    """
    import duckdb

    told = {}
    for dataset in sorted(datasets):
        if f"{dataset}.days" in names:
            query = f"select count(*), cast(bit_xor(hash(told)) as varchar) from {dataset}.days as told"  # noqa: S608 - our own names
            try:
                told[dataset] = list(rows(query))
            except duckdb.Error:
                return None
    return told
