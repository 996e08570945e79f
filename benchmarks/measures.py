"""What the code measures: its lines, its functions, what it imports. `make measures` prints it for CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radon.complexity import cc_visit  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
# What `make generate` writes.
GENERATED = "dbt/models/staging"
# Beyond these a file, or a function, is too much at once.
MANY_IMPORTS, COMPLEX = 15, 10


@dataclass
class Measured:
    """Of some folders' Python files."""

    lines: int = 0
    comments: int = 0
    anys: int = 0
    imports: list[int] = field(default_factory=list)
    functions: list[tuple[int, str]] = field(default_factory=list)
    complexities: list[tuple[int, str]] = field(default_factory=list)


def python_files(*folders: str, but: str = "") -> Iterator[Path]:
    """The files of these folders, without those below `but`."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not but or not path.is_relative_to(ROOT / but):
                yield path


def measure(paths: Iterator[Path]) -> Measured:
    """Reads every file once."""
    found = Measured()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        place, tree = str(path.relative_to(ROOT)), ast.parse(text)
        found.lines += len(text.splitlines())
        found.comments += sum(bool(re.match(r"\s*#", line)) for line in text.splitlines())
        nodes = list(ast.walk(tree))
        found.anys += sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
        found.imports.append(sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes))
        found.functions += [
            ((node.end_lineno or node.lineno) - node.lineno + 1, f"{place}:{node.lineno} {node.name}")
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        found.complexities += [
            (block.complexity, f"{place}:{block.lineno} {block.name}")
            for block in cc_visit(text)
            if block.letter in "FM"
        ]
    return found


def percentile(values: Sequence[int], share: float) -> int:
    """The value below which this share of them lies."""
    return sorted(values)[int(share * (len(values) - 1))]


def report() -> Iterator[str]:
    """The lines of the table."""
    shipping = measure(python_files("conversync", "sources", "pipelines", but="conversync/sandbox"))
    sandbox = measure(python_files("conversync/sandbox"))
    sql = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("dbt/models", "dbt/macros", "dbt/tests", "sources", "conversync")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".sql", ".yml", ".html", ".css"}
    }
    generated = sum(lines for path, lines in sql.items() if path.is_relative_to(ROOT / GENERATED))
    lengths = [lines for lines, _ in shipping.functions]
    complex_ = sorted((one for one in shipping.complexities if one[0] > COMPLEX), reverse=True)
    heavy = sum(count > MANY_IMPORTS for count in shipping.imports)
    yield "| measure | value |"
    yield "| --- | --- |"
    yield f"| Python that ships, lines | {shipping.lines:,} in {len(shipping.imports)} files |"
    yield f"| SQL, dbt, templates, lines | {sum(sql.values()) - generated:,}, and {generated:,} generated |"
    yield f"| sandbox, lines | {sandbox.lines:,} |"
    yield (
        f"| functions, lines: median, p90, longest | {statistics.median(lengths):.0f}, {percentile(lengths, 0.9)}, "
        f"{max(lengths)} ({max(shipping.functions)[1]}) |"
    )
    worst = "".join(f"; {name} {complexity}" for complexity, name in complex_[:5])
    yield f"| functions of complexity above {COMPLEX} (radon) | {len(complex_)}{worst} |"
    yield f"| files with more than {MANY_IMPORTS} imports | {heavy} ({heavy / len(shipping.imports):.0%}) |"
    yield f"| `Any` a thousand lines | {1000 * shipping.anys / shipping.lines:.0f} |"
    yield f"| comments | {shipping.comments / shipping.lines:.1%} |"


if __name__ == "__main__":
    print("\n".join(report()))
