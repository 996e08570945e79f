"""K23, K24: the files that settings come in are read in every honest form, and else refused in a sentence."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from tests.process.support import Place

CONFIG = '# ours\n\n[sources.besitos]\nbesitos_zone = "EST"\n'
WRONG: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "utf-16": (CONFIG.encode("utf-16"), ("is not UTF-8 but UTF-16", "save it as UTF-8")),
    "utf-16-without-its-mark": (CONFIG.encode("utf-16-le"), ("is not UTF-8 but UTF-16",)),
    "latin-1": (CONFIG.replace("ours", "für uns").encode("latin-1"), ("is not UTF-8 (line 1)",)),
    "latin-1-further-down": (f"{CONFIG}# für uns".encode("latin-1"), ("is not UTF-8 (line 5)",)),
    "an-open-quote": (CONFIG.replace('EST"', "EST").encode(), ("is not TOML: look at line 4",)),
    "no-quotes": (CONFIG.replace('"', "").encode(), ("is not TOML: look at line 4",)),
    "a-key-twice": (
        CONFIG.encode() + b'besitos_zone = "UTC"\n',
        ("has besitos_zone of [sources.besitos] twice, in the lines 4 and 5",),
    ),
    "a-key-twice-at-its-end": (CONFIG.encode() + b'besitos_zone = "UTC"', ("twice, in the lines 4 and 5",)),
    "a-list-twice": (b"[send]\na = [\n1]\n\na = [\n2]\n", ("has a of [send] twice, in the lines 3 and 5",)),
    "a-section-twice": (
        CONFIG.encode() + b"[sources.besitos]\n",
        ("has [sources.besitos] twice, in the lines 3 and 5",),
    ),
    "a-line-within-a-text": (b'a = """\nb = 1\n"""\nb = 2\nb = 3\n', ("has b twice, in the lines 4 and 5",)),
    "an-env-file": (b"export BESITOS_TOKEN=hunter2\n", ("is not TOML: look at line 1",)),
    "a-picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ("save it as UTF-8",)),
    "brackets-without-end": (b"a = " + b"[" * 100_000, ("is not TOML",)),
}


@pytest.mark.quick(7)
@pytest.mark.parametrize("name", ["config.toml", "secrets.toml"])
@pytest.mark.parametrize("case", WRONG)
def test_k23_a_file_that_cannot_be_read_is_a_sentence(place: Place, name: str, case: str) -> None:
    """Exit 2, one sentence with file and line and nothing of what the file holds; no request."""
    raw, words = WRONG[case]
    path = written(place, name, raw)
    done = place.load()
    done.refused(2, str(path.relative_to(place.folder)), *words)
    assert done.told.count("\n") == 1
    assert "hunter2" not in done.told
    assert place.sandbox.requests == []


@pytest.mark.parametrize("name", ["config.toml", "secrets.toml"])
def test_k23_a_file_that_may_not_be_read_is_a_sentence(place: Place, name: str) -> None:
    """No right to read it, or a folder in its place: exit 2, and which."""
    path = written(place, name, b"")
    path.chmod(0)
    place.load(privileged=False).refused(2, f".dlt/{name} cannot be read (Permission denied)")
    path.unlink()
    path.mkdir()
    place.load().refused(2, f".dlt/{name} cannot be read (Is a directory)")
    assert place.sandbox.requests == []


@pytest.mark.more
def test_k23_a_byte_order_mark_is_read(place: Place) -> None:
    """As editors on Windows write it, with their line ends: both files hold what they say."""
    token = place.env.pop("BESITOS_TOKEN")
    secrets = f'[sources.besitos]\r\nbesitos_token = "{token}"\r\n'
    written(place, "secrets.toml", codecs.BOM_UTF8 + secrets.encode())
    written(place, "config.toml", codecs.BOM_UTF8 + b"[sources.besitos]\r\nbesitos_page_size = 7\r\n")
    place.loaded()
    assert max(int(request.query["per_page"]) for request in place.sandbox.requests) == 7


@pytest.mark.more
def test_k23_no_settings_come_from_a_home_directory(place: Place) -> None:
    """A `.dlt` of the user, or in a temporary folder, is another program's: nothing of it is read."""
    for folder in (place.folder / "home" / ".dlt", place.folder / "tmp" / "dlt"):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text("[sources.besitos]\nbesitos_page_size = 7\n")
    place.env |= {"HOME": str(place.folder / "home")}
    assert place.load(ordinary=True).code == 0
    place.env |= {"HOME": str(place.folder / "nowhere")}
    assert place.load(ordinary=True).code == 0
    assert {request.query["per_page"] for request in place.sandbox.requests} == {"1000"}


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_k24_a_secret_comes_from_the_file_that_a_variable_names(place: Place, end: str) -> None:
    """As docker and kubernetes hand them over; one line break at its end belongs to the file, not to the secret."""
    token = place.env.pop("BESITOS_TOKEN")
    place.env["BESITOS_TOKEN_FILE"] = mounted(place, token + end)
    place.loaded()
    assert {one.headers["authorization"] for one in place.sandbox.requests} == {f"Bearer {token}"}
    checked = place.run("check", "besitos", "--debug")
    assert "besitos_token" in checked.out
    assert token not in checked.told


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "name", ["BESITOS_PAGE_SIZE", "SOURCES__BESITOS__BESITOS_PAGE_SIZE", "SOURCES__BESITOS_PAGE_SIZE"]
)
def test_k24_any_setting_in_any_spelling_may_stand_in_a_file(place: Place, name: str) -> None:
    """Not secrets alone; and the variable that names the file is no stranger."""
    place.env[f"{name}_FILE"] = mounted(place, "7\n")
    place.loaded()
    assert max(int(request.query["per_page"]) for request in place.sandbox.requests) == 7


@pytest.mark.more
def test_k24_the_projects_own_settings_may_stand_in_a_file(place: Place) -> None:
    """The warehouse's path, as an example."""
    del place.env["CONVERSYNC_WAREHOUSE"]
    place.env["CONVERSYNC_WAREHOUSE_FILE"] = mounted(place, f"{place.folder}/elsewhere.duckdb\n")
    place.loaded()
    assert (place.folder / "elsewhere.duckdb").exists()


def test_k24_a_file_that_cannot_be_read_is_refused(place: Place) -> None:
    """Missing, a folder, no right, no text: exit 2 with the variable and the path, and no request."""
    del place.env["BESITOS_TOKEN"]
    for path, words in (
        (str(place.folder / "gone"), "No such file"),
        (str(place.folder), "Is a directory"),
        (mounted(place, "", b"\xff\xfe\0"), "not text in UTF-8"),
    ):
        place.env["BESITOS_TOKEN_FILE"] = path
        place.load().refused(2, "BESITOS_TOKEN_FILE names", path, words)
    Path(path).chmod(0)
    place.load(privileged=False).refused(2, "BESITOS_TOKEN_FILE names", "Permission denied")
    Path(path).chmod(0o600)
    Path(path).write_text("\n")
    place.load().refused(2, "besitos_token is empty")
    assert place.sandbox.requests == []


def test_k24_a_secret_that_is_set_twice_is_refused(place: Place) -> None:
    """Which of the two is meant, nobody knows."""
    place.env["BESITOS_TOKEN_FILE"] = mounted(place, "hunter2")
    done = place.load()
    done.refused(2, "BESITOS_TOKEN and BESITOS_TOKEN_FILE are both set")
    assert "hunter2" not in done.told
    assert place.sandbox.requests == []


def mounted(place: Place, text: str, raw: bytes | None = None) -> str:
    """A file as a container finds it, by its path."""
    path = place.folder / "tmp" / "mounted"
    path.write_bytes(text.encode() if raw is None else raw)
    return str(path)


def written(place: Place, name: str, raw: bytes) -> Path:
    """A settings file of the place's project."""
    path = place.folder / ".dlt" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    path.chmod(0o600)
    return path
