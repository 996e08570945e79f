"""What the last whole build was made of, and came to: where nothing was written since, there is nothing to build.

And where something was, a model or test stands of which neither anything that it reads changed, nor itself. The note
of it lies beside the warehouse (`.conversync/NAME.built`). Whatever cannot be known is not the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from conversync.types import Document
from conversync.warehouse import files
from conversync.warehouse.query import Rows
from conversync.warehouse.stored import HEADERS, Look, all_of, said_by
from conversync.warehouse.views import Reads

Kept = TypeVar("Kept")
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
        return None if self.days is None else _digest([self.lasting(), self.days])

    def lasting(self) -> str:
        """One text for what the clock does not change."""
        return _digest([self.project, {name: version(name) for name in PACKAGES}, self.variables])


@dataclass(frozen=True)
class Node:
    """A model or a test as it was built: `relation` is what a model makes, None of a test.

    `reads` is what a table or a test is made of; None of a view, which is made of nothing before it is asked, and of
    what is not known. `own` is a text of what the model made, and `said` one of all that was read: None is unlike any.
    """

    name: str
    relation: str | None
    reads: Reads | None = None
    own: str | None = None
    said: str | None = None

    def stands(self, now: Look) -> bool:
        """Whether it is as it was, and made of the same."""
        made = self.relation is None or (self.own is not None and now.own(self.relation) == self.own)
        if self.reads is None:
            return made and self.relation in now.views
        return made and self.said is not None and now.said(self.reads) == self.said

    def noted(self, left: Look) -> Node:
        """With texts of what stands now."""
        own = None if self.relation is None else left.own(self.relation)
        return replace(self, own=own, said=None if self.reads is None else left.said(self.reads))


@dataclass(frozen=True)
class Last:
    """The last whole build that went well, as it was noted. `made` is a text of all else that it left."""

    mark: str | None
    inputs: str | None
    lasting: str
    made: str
    tested: bool
    report: Document
    nodes: Sequence[Node]

    def same(self, mark: str | None, inputs: Inputs, *, tested: bool) -> Document | None:
        """The report of it, if this build would come to the same: it was tested, or this one is not."""
        asked = (mark, inputs.digest())
        if None in asked or asked != (self.mark, self.inputs):
            return None
        return dict(self.report) if self.tested or not tested else None

    def split(self, mark: str | None, inputs: Inputs, now: Look) -> Split:
        """What stands of it, and what a build has to run again."""
        if mark is None or inputs.days is None or (self.lasting, self.made) != (inputs.lasting(), made(now)):
            return Split()
        left = [node for node in self.nodes if node.stands(now)]
        due = [node for node in self.nodes if node not in left]
        reach = {node.name: now.reach(node.reads) for node in left if node.reads is not None}
        return _spread(left, due, reach)


@dataclass(frozen=True)
class Split:
    """Models and tests that stand, for running them would come to the same, and those that are due; None: all are."""

    stood: Sequence[Node] = ()
    due: Sequence[Node] | None = None

    def named(self, *, tested: bool) -> list[str] | None:
        """What dbt has to run, with tests or without; None for all that it has."""
        if self.due is None:
            return None
        return [node.name for node in self.due if tested or node.relation is not None]

    @property
    def models(self) -> int:
        """How many models stand."""
        return sum(node.relation is not None for node in self.stood)


def _spread(left: list[Node], due: list[Node], reach: Mapping[str, Collection[str]]) -> Split:
    """What is made of something that is due is due as well."""
    again = list(due)
    while again:
        relations = {node.relation for node in again}
        hit = {name for name, read in reach.items() if not relations.isdisjoint(read)}
        again = [node for node in left if node.name in hit]
        left = [node for node in left if node.name not in hit]
        due += again
    return Split(left, due)


@dataclass(frozen=True)
class Note:
    """Where the last build is noted, and what of: `path` beside the `warehouse`, which is a DuckDB file."""

    path: Path
    warehouse: Path

    def last(self) -> Last | None:
        """The build that is noted; None where none was, or somebody wrote there."""
        try:
            held = json.loads(files.read(self.path))
            nodes = [Node(**{**node, "reads": _reads(node["reads"])}) for node in held.pop("nodes")]
            return Last(**held, nodes=nodes)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def keep(
        self, inputs: Inputs, left: Look, nodes: Iterable[Node], report: Mapping[str, object], *, tested: bool
    ) -> None:
        """Notes a build that went well, as it left the file."""
        held = {
            "mark": mark(self.warehouse),
            "inputs": inputs.digest(),
            "lasting": inputs.lasting(),
            "made": made(left),
            "tested": tested,
            "report": dict(report),
            "nodes": [_kept(node.noted(left)) for node in nodes],
        }
        files.write(self.path, json.dumps(held))


def made(found: Look) -> str:
    """A text of what the models are made for and leave beside themselves: shapes of tables, functions."""
    return _digest([found.shapes, sorted(found.functions.items())])


def read_by(nodes: Iterable[Node]) -> Iterator[Reads]:
    """What all of these read."""
    return (node.reads for node in nodes if node.reads is not None)


def after(before: Look, left: Look, models: Collection[str]) -> Look | None:
    """What a build left, and made of what it found: only the schemas of `models` are its own.

    None where the clock changed what was read meanwhile.
    """
    if any(before.rows.get(sql) != left.rows.get(sql) for sql in left.dated()):
        return None
    own = {name for name in left.texts if name.partition(".")[0] in models}
    return replace(
        left,
        texts=_joined(before.texts, left.texts, own),
        tables=_joined(before.tables, left.tables, own),
        digests=_joined(before.digests, {}, own),
    )


def _joined(before: Mapping[str, Kept], left: Mapping[str, Kept], own: Collection[str]) -> dict[str, Kept]:
    return {**before, **{name: kept for name, kept in left.items() if name in own}}


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
    """What the views `days` of these datasets say now, as a text each: what changes with the clock alone.

    None where one of them cannot be read: the build will say why.
    """
    views = [f"{dataset}.days" for dataset in sorted(datasets) if f"{dataset}.days" in names]
    told = {view: said_by(rows, all_of(view)) for view in views}
    return None if None in told.values() else dict(told)


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _kept(node: Node) -> Document:
    return {**vars(node), "reads": None if node.reads is None else _told(node.reads)}


def _told(reads: Reads) -> Document:
    return {
        "relations": sorted(reads.relations),
        "parts": {sql: _told(part) for sql, part in reads.parts.items()},
    }


def _reads(told: Document | None) -> Reads | None:
    if told is None:
        return None
    parts = {sql: part for sql, inner in told["parts"].items() if (part := _reads(inner))}
    return Reads(frozenset(told["relations"]), parts)
