"""A container's user: any number, no HOME, one folder to write in, and a root that is read-only."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.process.others import ONLY_ROOT, UNKNOWN, open_to_others, theirs, written
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


# Makes everything read-only but the folder, in a name space of its own, where no shell can be started; then it is any
# user, who may read.
SEALED = """
mount --bind "$1" "$1" && mount --bind /tmp /tmp && mount --rbind "$1" "$1" && mount -o remount,ro,bind /tmp || exit 98
for folder in /var/tmp /usr/tmp; do [ ! -d $folder ] || mount -t tmpfs -o ro none $folder; done
[ "$2" = locks ] || mount -t tmpfs -o ro none /dev/shm
user=$3; shift 3; ! touch /tmp/x 2>/dev/null || exit 99
for shell in sh bash dash; do mount --bind /dev/null $(readlink -f /bin/$shell); done
exec setpriv --reuid $user --regid $user --clear-groups --inh-caps -all,+dac_read_search \
    --ambient-caps -all,+dac_read_search "$@"
"""


def sealed(
    container: Place, *words: str, locks: bool = True, user: int = UNKNOWN
) -> subprocess.CompletedProcess[str]:
    """A command in there, with the program as it is installed."""
    data = container.folder / "data"
    how = ["sh", str(data), "locks" if locks else "none", str(user), str(CONVERSYNC), *words]
    command = ["unshare", "-m", "sh", "-c", SEALED, *how]
    return subprocess.run(command, env=container.env, cwd=data, capture_output=True, text=True, check=False)


def test_a_container_with_a_read_only_root(container: Place) -> None:
    """And no place for temporary files but the one folder, and no shell. Another number later is told whose it is."""
    data = container.folder / "data"
    ended = sealed(container, "load", "besitos")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(path.name for path in data.iterdir()) == [".conversync", "published", "warehouse.duckdb"]
    assert {path.lstat().st_uid for path in data.rglob("*")} == {UNKNOWN}
    other = sealed(container, "load", "besitos", user=UNKNOWN + 1)
    assert other.returncode == 2, other.stderr
    assert f"the user with the number {UNKNOWN}" in other.stderr


@pytest.mark.more
def test_a_whole_night_in_a_container(container: Place) -> None:
    """Models and report, too. Without a place for dbt's locks it says so, and the rest of the night is done."""
    data = container.folder / "data"
    ended = sealed(container, "nightly", "besitos")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (data / "published" / "report.html").exists()
    assert open_to_others(data) == []
    assert {path.lstat().st_uid for path in data.rglob("*")} == {UNKNOWN}
    ended = sealed(container, "nightly", "besitos", locks=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Its locks need /dev/shm, which this user cannot write" in ended.stdout + ended.stderr
    assert "Traceback (most" not in ended.stderr


@pytest.mark.more
def test_l03_what_is_mounted_read_only_nobody_changes(container: Place) -> None:
    """Settings that belong to a user of the host: followed where they are mounted so, refused where they are not."""
    theirs(written(container, "config.toml", "alert_command = 'tell-me'"))
    words = ("load", "besitos", "--dry-run", "--project", str(container.folder))
    (container.folder / ".dlt").chmod(0o755)
    (container.folder / ".dlt" / "config.toml").chmod(0o644)
    container.run(*words, user=UNKNOWN).refused(2, "names alert_command", "the user nobody")
    ended = sealed(container, *words)
    assert (ended.returncode, ended.stderr) == (0, "")
