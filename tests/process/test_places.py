"""K25, K28: places that a run is given work, or are refused in one sentence before any request."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.process.support import CONVERSYNC, PATIENCE, ROOT, Done, Place
from tests.support import sometimes


@pytest.mark.more
@pytest.mark.parametrize("name", sometimes('(a) & b;"$HOME",b+c@d~e!f^g{h}-i:j[k]*', "a b", "über", quick=1))
@pytest.mark.parametrize("within", ["{}/warehouse.duckdb", "{}.duckdb"], ids=["folder", "file"])
def test_k25_a_name_that_is_odd_and_works(place: Place, name: str, within: str) -> None:
    """A load, a second one, the copy for readers: exact, wherever the odd name stands."""
    path = place.folder / within.format(name)
    place.env["CONVERSYNC_WAREHOUSE"] = str(path)
    place.warehouse = path
    place.loaded()
    place.loaded()
    assert place.held() == place.expected() != {}
    assert (path.parent / "published" / path.name).exists()


@pytest.mark.more
@pytest.mark.parametrize("name", ["o'clock", "what?", "a#b", "a=b", "50%", "a\nb"])
@pytest.mark.parametrize("within", ["{}/warehouse.duckdb", "{}.duckdb"], ids=["folder", "file"])
def test_k25_a_name_that_others_would_take_for_something_else(place: Place, name: str, within: str) -> None:
    """Exit 2, the sign and the way out; nothing is asked, and nothing made."""
    place.env["CONVERSYNC_WAREHOUSE"] = str(place.folder / within.format(name))
    done = place.load()
    done.refused(2, "may hold no", "name another place")
    assert done.told.count("\n") == 1
    assert place.sandbox.requests == []
    assert [path.name for path in place.folder.iterdir()] == ["tmp"]


@pytest.mark.more
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP"])
def test_k25_a_file_system_without_locks(place: Place, error: str) -> None:
    """As some network mounts are: exit 2 before any request, with what to do."""
    inject = ["-e", "trace=flock", "-e", f"inject=flock:error={error}"]
    done = run(place, ["strace", "-f", "-qq", "-o", "/dev/null", *inject, str(CONVERSYNC), *place.days])
    done.refused(2, f"file system of {place.folder}", "gives no lock", "put the warehouse on a local disk")
    assert place.sandbox.requests == []


@pytest.mark.more
def test_k25_no_home_at_all(place: Place) -> None:
    """HOME unset, empty or nowhere: the same run; and where there is one, nothing is written there."""
    home = place.folder / "tmp" / "home"
    home.mkdir()
    del place.env["HOME"]
    for given in ({}, {"HOME": ""}, {"HOME": "/nonexistent"}, {"HOME": str(home)}):
        place.env |= given
        assert place.load(ordinary=True).code == 0
    assert list(home.iterdir()) == []
    assert place.held() == place.expected() != {}
    assert place.leftovers() == ["tmp/home"]


def test_k25_a_home_that_nobody_knows(place: Place) -> None:
    """`~somebody` who is no user: exit 2, and the path."""
    place.load("--warehouse", "~nobody-of-that-name/warehouse.duckdb").refused(2, "~nobody-of-that-name")


@pytest.mark.more
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("s3://key:hunter2@bucket/x.duckdb", '"s3:..."'),
        ("md:conversions", '"md:..."'),
        (":memory:", '":memory:"'),
        ("", "is blank"),
        ("  ", "is blank"),
    ],
)
@pytest.mark.parametrize("how", ["--warehouse", "CONVERSYNC_WAREHOUSE", "warehouse"])
def test_k25_what_is_no_file_of_this_machine(place: Place, how: str, given: str, words: str) -> None:
    """An address, a memory, nothing at all as the warehouse's path: exit 2, what names it, and nothing is made."""
    del place.env["CONVERSYNC_WAREHOUSE"]
    options = (how, given) if how.startswith("--") else ()
    if how == "warehouse":
        (place.folder / ".dlt").mkdir()
        (place.folder / ".dlt" / "config.toml").write_text(f'warehouse = "{given}"\n')
    elif not options:
        place.env[how] = given
    before = sorted(place.folder.rglob("*"))
    done = place.load(*options)
    done.refused(2, f"{how} is", words, "warehouse.duckdb")
    assert "hunter2" not in done.told
    assert place.sandbox.requests == []
    assert sorted(place.folder.rglob("*")) == before


def test_k25_a_file_name_with_a_colon_is_a_file(place: Place) -> None:
    """With a folder before it, as the sentence says."""
    place.load("--warehouse", "./a:b.duckdb", "--dry-run").refused(0, "would read")
    place.load("--warehouse", "a:b.duckdb", "--dry-run").refused(2, "./ goes before a file name with a colon")


@pytest.mark.more
@pytest.mark.parametrize("name", ["warehouse.duckdb", "other.duckdb"])
def test_k25_a_file_with_two_names_is_refused(place: Place, name: str) -> None:
    """A hard link has a lock, a journal and a write-ahead log of its own: exit 2 under both names; nothing is made."""
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute("create table outbox as select 'k' as send_key, 'c' as subid")
    (place.folder / "other.duckdb").hardlink_to(place.warehouse)
    place.env["CONVERSYNC_WAREHOUSE"] = str(place.folder / name)
    place.env |= {"KEITARO_URL": place.sandbox.url, "KEITARO_POSTBACK_KEY": "abc-123"}
    place.load().refused(2, f"{name} has another name, too (a hard link)", "find -samefile")
    place.run("send", "keitaro.conversions", "--from", "main.outbox").refused(2, "has another name, too")
    assert place.sandbox.requests == []
    assert place.leftovers() == ["other.duckdb"]
    assert not (place.folder / ".conversync").exists()
    (place.folder / "other.duckdb").unlink()
    place.env["CONVERSYNC_WAREHOUSE"] = str(place.warehouse)
    place.loaded()


@pytest.mark.parametrize("folder", ["nowhere", "", "tmp/file"])
def test_k25_a_project_that_there_is_not(place: Place, folder: str) -> None:
    """Exit 2 and the folder, by the option and by the environment; nothing is read elsewhere, or made."""
    (place.folder / "tmp" / "file").touch()
    place.load("--project", folder).refused(2, f'There is no folder "{folder}"')
    place.env["DLT_PROJECT_DIR"] = folder or "  "
    place.load().refused(2, f'There is no folder "{folder or "  "}"')
    assert place.sandbox.requests == []
    assert place.leftovers() == ["tmp/file"]


# Makes everything read-only but the warehouse's folder, in name spaces of its own.
READ_ONLY = """
mount --bind "$1" "$1" && mount --rbind /tmp /tmp && mount --rbind "$1" "$1" && mount -o remount,ro,bind /tmp
for folder in /var/tmp /usr/tmp; do [ ! -d $folder ] || mount -t tmpfs -o ro none $folder; done
shift; ! touch /tmp/x 2>/dev/null || exit 99
exec "$@"
"""


@pytest.mark.more
@pytest.mark.parametrize(
    "command",
    sometimes(["load", "besitos"], ["load", "--dry-run"], ["status"], ["check"], quick=1, ids=" ".join),
)
def test_k25_a_read_only_root_without_tmp(place: Place, command: list[str]) -> None:
    """Only the warehouse's folder can be written: everything works there; where it cannot be either, a sentence."""
    place.env["BESITOS_START_DATE"] = str(place.sandbox.world.now.date())
    data = place.folder / "data"
    data.mkdir()
    del place.env["TMPDIR"]
    place.env["CONVERSYNC_WAREHOUSE"] = str(data / "warehouse.duckdb")
    assert place.run("load", "besitos").code == 0
    inside = ["unshare", "-rm", "sh", "-c", READ_ONLY, "sh"]
    done = run(place, [*inside, str(data), str(CONVERSYNC), *command])
    assert "Traceback" not in done.told
    assert done.code == 0, done.told
    place.env["CONVERSYNC_WAREHOUSE"] = str(place.folder / "elsewhere.duckdb")
    done = run(place, [*inside, str(data), str(CONVERSYNC), *command])
    done.refused(2, "There is no place for temporary files", "which belongs to the user", "set TMPDIR")


def test_k25_a_system_without_posix_locks(tmp_path: Path) -> None:
    """Windows has no fcntl: exit 2 and one sentence from the command, and from an import."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['fcntl'] = None\n")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    for code in ("from conversync.cli.main import main; main()", "import conversync.warehouse.warehouse"):
        ended = subprocess.run(
            [sys.executable, "-c", code, "load"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Conversync needs a system with POSIX file locks" in ended.stderr.splitlines()[-1]
    assert ended.returncode == 1
    command = [sys.executable, "-c", "from conversync.cli.main import main; main()", "load"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.quick(4)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nonsense", "dlt knows athena, bigquery"),
        ("postgrse", "did you mean postgres?"),
        ("DuckDB", "did you mean duckdb?"),
        ("my.module.place", "my.module.place"),
        ("", 'no destination ""'),
    ],
)
@pytest.mark.parametrize("command", ["load", "status", "nightly"])
def test_k28_a_destination_that_there_is_not(place: Place, command: str, name: str, words: str) -> None:
    """Exit 2, one sentence with the nearest known name, before any request and any file."""
    done = place.run(command, "--destination", name)
    done.refused(2, f'There is no destination "{name}"', words)
    assert done.told.count("\n") == 1
    assert place.sandbox.requests == []
    assert [path.name for path in place.folder.iterdir()] == ["tmp"]


def test_k28_a_destination_of_ones_own_name(place: Place) -> None:
    """What `destination_type` makes known is no stranger: the next thing that it lacks is told."""
    place.env["DESTINATION__ARCHIVE__DESTINATION_TYPE"] = "postgres"
    place.load("--destination", "archive").refused(2, "The destination lacks a setting")


def run(place: Place, command: list[str]) -> Done:
    """A process that is not forked, in the place."""
    ended = subprocess.run(
        command,
        env=place.env,
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


def test_d03_a_destination_that_keeps_no_statements_is_refused(place: Place) -> None:
    """Exit 2 before any request, by what its own client says it can do."""
    place.env["DESTINATION__FILESYSTEM__BUCKET_URL"] = str(place.folder / "bucket")
    done = place.run("load", "--destination", "filesystem")
    done.refused(2, 'The destination "filesystem" cannot close a statement', "published_lake")
    assert place.sandbox.requests == []


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sqlalchemy", "is for MariaDB alone"),
        ("clickhouse", "merges rows without transactions"),
        ("athena", "merges rows without transactions"),
        ("databricks", "merges rows without transactions"),
        ("synapse", "merges rows without transactions"),
        ("dremio", "merges rows without transactions"),
    ],
)
def test_d04_a_destination_that_could_keep_half_a_load_or_other_amounts_is_refused(
    place: Place, name: str, words: str
) -> None:
    """Exit 2 and one sentence, before any request and any file."""
    place.env["DESTINATION__SQLALCHEMY__CREDENTIALS"] = "sqlite:///amounts.db"
    done = place.run("load", "--destination", name)
    done.refused(2, f'The destination "{name}" {words}')
    assert done.told.count("\n") == 1
    assert place.sandbox.requests == []


def test_d04_one_that_has_fewer_ways_to_merge_is_let(place: Place) -> None:
    """Redshift replaces rows by deleting and inserting: what it lacks next is an address."""
    place.load("--destination", "redshift").refused(2, "The destination lacks a setting (credentials)")
    assert place.sandbox.requests == []
