"""Large warehouses that take minutes to make: made once below `bench-data/`, and copied for each run.

A file is called by what it holds and by the code that made it, so that other code makes another one.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.environments import DATA, ROOT

CODE = ("conversync", "sources", "benchmarks/filled.py", "benchmarks/large.py", "benchmarks/feed.py")


def sources() -> Iterator[Path]:
    """All files that have a say in what a load makes."""
    for name in CODE:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) + sorted(path.rglob("*.sql")) if path.is_dir() else [path]


def fingerprint(also: str) -> str:
    """Of the code, as it is now, and of what else has a say."""
    digest = hashlib.sha256(also.encode())
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def prepared(name: str, make: Callable[[Path], None], *, also: str = "", folder: Path = DATA) -> Path:
    """The file of this name; `make` writes it to the path that it is given, and what older code made is removed."""
    path = folder / f"{name}-{fingerprint(also)}.duckdb"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-????????????.duckdb"):
            old.unlink()
        making = folder / f"{name}.making" / "warehouse.duckdb"
        shutil.rmtree(making.parent, ignore_errors=True)
        making.parent.mkdir()
        print(f"making {path.name} ...", flush=True)
        make(making)
        making.replace(path)
        shutil.rmtree(making.parent)
    return path
