"""What dbt noted of a build: what it came to, as sentences and numbers, and what its models and tests read."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from conversync.build.last import Node
from conversync.errors import ConversyncError, LockedError
from conversync.warehouse.stored import SMALL
from conversync.warehouse.views import Reads, reads_of

# Where dbt's locks lie, which are the system's.
LOCKS = "/dev/shm"  # noqa: S108 - only looked at


@dataclass
class BuildReport:
    """What a build came to. `failures` and `warnings` are sentences; `skipped` depended on something that failed.

    `models_left` and `tests_left` stand as they were: nothing that they read changed, and neither did they.
    `is_unchanged`: nothing was written since the last build, which came to all else that is told.
    """

    models: int = 0
    models_left: int = 0
    models_failed: int = 0
    tests_passed: int = 0
    tests_left: int = 0
    tests_failed: int = 0
    tests_warned: int = 0
    skipped: int = 0
    seconds: float = 0
    is_unchanged: bool = False
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0, or 1 if a model or a test failed."""
        return 1 if self.failures else 0

    def noted(self) -> dict[str, Any]:
        """What is told again where another build would come to the same."""
        told = {**asdict(self), "models_left": 0, "tests_left": 0}
        told |= {
            "models": self.models + self.models_left,
            "tests_passed": self.tests_passed + self.tests_left,
        }
        return {name: value for name, value in told.items() if name not in {"seconds", "is_unchanged"}}


class Ended:
    """What dbt left in `target`, the folder of all that it writes. Raises where it did not come so far."""

    def __init__(self, ended: subprocess.CompletedProcess[str], target: Path, warehouse: str) -> None:
        self._ended, self._target, self._warehouse = ended, target, warehouse

    @cached_property
    def _nodes(self) -> Mapping[str, Mapping[str, Any]]:
        told = json.loads((self._target / "manifest.json").read_text(encoding="utf-8"))
        return dict(told["nodes"])

    @cached_property
    def _results(self) -> list[Mapping[str, Any]]:
        results = self._target / "run_results.json"
        if not results.exists():
            _refuse(self._ended.stdout, self._warehouse)
        return list(json.loads(results.read_text(encoding="utf-8"))["results"])

    def report(self) -> BuildReport:
        """What it noted of what it ran."""
        report = BuildReport()
        counts: Counter[str] = Counter()
        for result in self._results:
            kind, status = result["unique_id"].partition(".")[0], result["status"]
            if kind not in {"model", "test", "unit_test"}:
                continue
            counts[f"{'model' if kind == 'model' else 'test'} {status}"] += 1
            node = self._nodes.get(result["unique_id"], {"name": result["unique_id"].rpartition(".")[2]})
            if status in {"error", "fail", "runtime error"}:
                report.failures.append(_sentence(kind, node, result))
            elif status == "warn":
                report.warnings.append(_sentence(kind, node, result))
        if self._ended.returncode and not report.failures:
            _refuse(self._ended.stdout, self._warehouse)
        report.models = counts["model success"]
        report.models_failed = counts["model error"]
        report.tests_passed = counts["test pass"] + counts["test success"]
        report.tests_failed = counts["test fail"] + counts["test error"] + counts["test runtime error"]
        report.tests_warned = counts["test warn"]
        report.skipped = counts["model skipped"] + counts["test skipped"]
        return report

    def nodes(self, left: Collection[Node] = ()) -> Iterator[Node]:
        """All models and tests, with what those read that ran well; of those that were `left`, as they were."""
        stood = {node.name: node for node in left}
        passed = {result["unique_id"] for result in self._results if result["status"] in {"success", "pass"}}
        for unique_id, node in self._nodes.items():
            if node["resource_type"] in {"model", "test"}:
                yield stood.get(node["name"]) or _node(node, is_well=unique_id in passed)


def _node(node: Mapping[str, Any], *, is_well: bool) -> Node:
    relation = f"{node['schema']}.{node['alias']}" if node["resource_type"] == "model" else None
    is_view = node["config"]["materialized"] == "view"
    reads = None if is_view or not is_well else _reads(node.get("compiled_code") or "")
    return Node(node["name"], relation, reads)


def _reads(code: str) -> Reads | None:
    """What a model's or a test's SQL reads; None where DuckDB cannot take it apart."""
    try:
        return reads_of(code, SMALL)
    except ValueError:
        return None


def _sentence(kind: str, node: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What failed, in words: of an integrity test, the promise that its file begins with."""
    message = " ".join(str(result.get("message") or "").split())[:600]
    if kind == "model":
        return f"The model {node.get('alias', node['name'])} could not be built: {message}"
    if kind == "unit_test":
        return f"The unit test {node['name']} failed: {message}"
    rows = result.get("failures")
    found = f"{rows} rows" if rows is not None else message
    return (
        f"The test {node['name']} failed ({found}). {' '.join(_promise(node.get('raw_code', '')))}".rstrip()
    )


def _promise(code: str) -> Iterator[str]:
    for line in code.splitlines():
        if not line.startswith("-- "):
            return
        yield line.removeprefix("-- ")


def _refuse(output: str, warehouse: str) -> None:
    """Raises what made dbt give up before it built anything."""
    if "Could not set lock on file" in output:
        raise LockedError(
            f"Somebody has {warehouse} open; close that session, or wait for it with --wait 30m."
        )
    lines = [line.split("  ", 1)[-1].strip() for line in output.splitlines()]
    told = [line for line in lines if line and "Running with dbt" not in line and "Registered" not in line]
    way_out = "" if os.access(LOCKS, os.W_OK) else f" Its locks need {LOCKS}, which this user cannot write."
    said = " ".join(told).partition(" Traceback ")[0][:600]
    raise ConversyncError(f"dbt could not begin, and nothing was built.{way_out} It said: {said}")
