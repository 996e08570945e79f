"""What the report may take of the machine."""

from __future__ import annotations

from pathlib import Path

from conversync.report.opening import opened
from conversync.warehouse.warehouse import Warehouse
from tests.report.conftest import Built


def test_the_report_asks_within_its_memory(built: Built) -> None:
    """What does not fit goes into a folder that nobody else reads, and that is gone with the report."""
    settings = "select current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
    with opened(Warehouse(built.warehouse), {}) as reader:
        [(memory, threads, spill)] = reader.run(settings)[1]
        folder = Path(spill).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert (memory, threads) == ("381.4 MiB", 1)
    assert not folder.exists()
