"""How much of a machine DuckDB takes, by what its files say and by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import tests.support  # noqa: F401 - settles dlt before it is imported

# isort: split
from conversync.errors import SettingsError
from conversync.warehouse import duckdb_limits
from tests.houses import environment
from tests.process.support import Place

GB = 2**30


def system(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder that looks like a system's root."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_least_of_all_groups_counts(tmp_path: Path) -> None:
    """Version 2: the own group has no limit, the one above it has; within a container only the top is there."""
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/night/job\n",
            "sys/fs/cgroup/night/job/memory.max": "max\n",
            "sys/fs/cgroup/night/memory.max": f"{GB}\n",
            "sys/fs/cgroup/memory.max": f"{4 * GB}\n",
            "sys/fs/cgroup/night/cpu.max": "50000 100000\n",
        },
    )
    assert duckdb_limits.memory_here(root) == GB
    assert duckdb_limits.processors_here(root) == 1


def test_the_first_version_of_cgroups_is_understood(tmp_path: Path) -> None:
    """Each controller has a tree of its own; a quota of -1 is none."""
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GB}\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert duckdb_limits.memory_here(root) == 2 * GB
    assert duckdb_limits.processors_here(root) >= 1


def test_a_system_that_tells_nothing_gets_the_least(tmp_path: Path) -> None:
    """No files: no memory is known of, and there is a processor."""
    assert duckdb_limits.memory_here(tmp_path) == 0
    assert duckdb_limits.processors_here(tmp_path) >= 1


def test_what_is_set_is_what_duckdb_gets() -> None:
    """In its own units."""
    with environment({"CONVERSYNC_DUCKDB_MEMORY": "1.5 GiB", "CONVERSYNC_DUCKDB_THREADS": "3"}):
        assert duckdb_limits.limits() == {"memory_limit": "1610MB", "threads": 3}
    with environment({"CONVERSYNC_DUCKDB_MEMORY": "300mb"}):
        assert duckdb_limits.limits()["memory_limit"] == "300MB"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", "much"),
        ("memory", "300"),
        ("memory", "50MB"),
        ("memory", "80%"),
        ("threads", "0"),
        ("threads", "two"),
    ],
)
def test_a_size_that_cannot_be_meant_is_told(name: str, value: str) -> None:
    """With what it must be."""
    with environment({f"CONVERSYNC_DUCKDB_{name.upper()}": value}), pytest.raises(SettingsError, match=value):
        duckdb_limits.limits()


def test_a_load_refuses_such_a_size_before_any_request(place: Place) -> None:
    """Exit 2, one sentence."""
    place.env["CONVERSYNC_DUCKDB_MEMORY"] = "lots"
    done = place.load()
    assert done.code == 2
    assert 'duckdb_memory is "lots"' in done.told
    assert not place.warehouse.exists()
