"""A warehouse whose loads are taken back, and the process that forks runs which are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.dbt.cluster import Cluster
from tests.houses import forget_settings
from tests.process.support import ProcessPool, nursery
from tests.undo.past import Past


@pytest.fixture(scope="session", name="nursery")
def one_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """One for all tests of a worker."""
    with nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_past(tmp_path: Path) -> Iterator[Callable[..., Past]]:
    """`make_past("besitos", database)`: each call another warehouse; the sandbox is that vendor's."""
    with ExitStack() as stack:
        count = iter(range(1000))

        def make(name: str = "besitos", database: Cluster | None = None, world: World | None = None) -> Past:
            sandbox = stack.enter_context(Sandbox(world or World(days=1)))
            folder = tmp_path / f"{name}-{next(count)}"
            folder.mkdir()
            return Past(name, sandbox, folder, {"BESITOS_CONCURRENCY": "1"}, database=database)

        yield make
