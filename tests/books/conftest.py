"""A house whose feed is generated, and nothing of the developer's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from tests.books.nights import FROM, TO
from tests.houses import VendorWorkspace, forget_settings

Rows = list[tuple[Any, ...]]


@dataclass
class Told(VendorWorkspace):
    """A vendor's warehouse, and what its tables said at some moments."""

    said: list[tuple[datetime, Rows]] = field(default_factory=list)

    def conversions(self, of: str = "conversions") -> Rows:
        """The view, or what a function of that name says, in the order of its keys."""
        return self.query(f"select * from {self.name}.{of} order by 1")


@dataclass
class Ledger(Told):
    """One that is loaded night after night, and what its tables said after each."""

    def night(self, rows: list[dict[str, Any]]) -> None:
        """One load; whatever it says of rows that are gone, it has committed."""
        self.sandbox.besitos.rows = rows
        report = self.run(FROM, TO)
        if report.error is not None:
            raise report.error
        self.remember()

    def remember(self) -> None:
        """What the view says now, and when that is."""
        self.said.append((datetime.now(UTC), self.conversions()))


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_ledger(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """`make_ledger("besitos", besitos_withdrawn_counts="false")`."""
    with ExitStack() as stack:

        def make(name: str = "besitos", world: World | None = None, **settings: str) -> Ledger:
            sandbox = stack.enter_context(Sandbox(world or World(days=1)))
            settings = {"besitos_concurrency": "1", **settings}
            return Ledger(name, sandbox, tmp_path, {key.upper(): value for key, value in settings.items()})

        yield make
