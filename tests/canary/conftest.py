"""One story for all tests of the canaries: they only look at what it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.canary.story import Story, secrets, told
from tests.houses import made_once
from tests.nightly.support import small_world
from tests.process.support import nursery


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("quick", marks=pytest.mark.more),
        pytest.param("whole", marks=pytest.mark.long),
    ],
)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told once; nobody may change what is in its folder."""

    def tell(folder: Path) -> None:
        with Sandbox(small_world()) as sandbox, nursery(tmp_path_factory.mktemp("canary")) as forks:
            secrets(sandbox)
            told(folder, sandbox, forks, whole=request.param == "whole")

    return Story(made_once(tmp_path_factory, f"canaries-{request.param}", tell))
