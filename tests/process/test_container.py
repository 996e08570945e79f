"""A container's user: any number, no HOME, one folder to write in, and a root that is read-only."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.process.others import ONLY_ROOT, UNKNOWN, open_to_others
from tests.process.support import CONVERSYNC, Place
from tests.support import sometimes

pytestmark = ONLY_ROOT


@pytest.fixture
def container(shared: Place) -> Place:
    """One folder that its user can write, and no HOME; a day to read."""
    place = shared
    place.env = {name: value for name, value in place.env.items() if name not in {"HOME", "TMPDIR"}}
    place.env["BESITOS_START_DATE"] = str(datetime.now(UTC).date() - timedelta(days=1))
    data = place.folder / "data"
    data.mkdir()
    os.chown(data, UNKNOWN, UNKNOWN)
    place.env["CONVERSYNC_WAREHOUSE"] = str(data / "warehouse.duckdb")
    return place


QUICK = ["nightly", "besitos", "--no-build", "--no-report"]


@pytest.mark.more
@pytest.mark.parametrize("night", sometimes(QUICK, ["nightly", "besitos"], quick=1, ids=" ".join))
def test_a_container_with_any_user(container: Place, night: list[str]) -> None:
    """A user that the system does not know, no HOME, and one folder that is theirs: every command works in there."""
    data = container.folder / "data"
    for command in (["load", "besitos"], ["status"], ["check"], ["publish"], night):
        done = container.run(*command, user=UNKNOWN)
        assert done.code == 0, f"{command}: {done.told}"
        assert "Traceback" not in done.told
    assert open_to_others(data) == []
    assert {path.lstat().st_uid for path in data.rglob("*")} == {UNKNOWN}


# Makes everything read-only but the folder, in a name space of its own; then it is any user, who may read.
SEALED = """
mount --bind "$1" "$1" && mount --bind /tmp /tmp && mount --rbind "$1" "$1" && mount -o remount,ro,bind /tmp || exit 98
for folder in /var/tmp /usr/tmp; do [ ! -d $folder ] || mount -t tmpfs -o ro none $folder; done
user=$2; shift 2; ! touch /tmp/x 2>/dev/null || exit 99
exec setpriv --reuid $user --regid $user --clear-groups --inh-caps -all,+dac_read_search \
    --ambient-caps -all,+dac_read_search "$@"
"""


def test_a_container_with_a_read_only_root(container: Place) -> None:
    """And no place for temporary files but the one folder: a load, with the program as it is installed."""
    data = container.folder / "data"
    command = [
        "unshare",
        "-m",
        "sh",
        "-c",
        SEALED,
        "sh",
        str(data),
        str(UNKNOWN),
        str(CONVERSYNC),
        "load",
        "besitos",
    ]
    ended = subprocess.run(command, env=container.env, cwd=data, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(path.name for path in data.iterdir()) == [".conversync", "published", "warehouse.duckdb"]
    assert {path.lstat().st_uid for path in data.rglob("*")} == {UNKNOWN}
