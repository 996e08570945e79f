"""A receiver and a warehouse for every test about sending."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.houses import forget_settings
from tests.send.receiver import Receiver, serve
from tests.send.support import Workspace


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """With no outbox yet."""
    forget_settings(monkeypatch)
    for name in [name for name in os.environ if name.startswith(("SEND_", "OPTIBASE_"))]:
        monkeypatch.delenv(name)
    receiver = Receiver()
    with serve(receiver) as server:
        yield Workspace(tmp_path, server, receiver)
