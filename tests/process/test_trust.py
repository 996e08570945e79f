"""L01, L03: settings come from nobody but us; and who else could change them is told, or refused."""

from __future__ import annotations

import os

import pytest

from tests.process.others import ONLY_ROOT, OTHER, UNKNOWN, theirs, written
from tests.process.support import Place

pytestmark = ONLY_ROOT

SEVEN = "[sources.besitos]\nbesitos_page_size = 7\n"


@pytest.mark.more
@pytest.mark.parametrize("home", ["/nonexistent", None], ids=["nowhere", "none"])
def test_l01_a_planted_settings_folder_is_not_read(shared: Place, home: str | None) -> None:
    """Where HOME cannot be written, and another user has put settings where dlt would look: nothing of it.

    No program runs, no address is asked or told a token; a source whose address stands only there lacks it.
    """
    trap = shared.folder / "tmp" / "dlt"
    address = f"[sources.keitaro]\nkeitaro_url = '{shared.sandbox.url}'\n"
    theirs(trap / "config.toml", f"alert_command = 'touch {shared.folder}/ran'\n{SEVEN}{address}")
    theirs(trap / "secrets.toml", f"alert_webhook = '{shared.sandbox.url}/told'\n")
    theirs(trap)
    shared.env = {name: value for name, value in shared.env.items() if name != "HOME"}
    shared.env |= {} if home is None else {"HOME": home}
    shared.env["KEITARO_API_KEY"] = shared.sandbox.keitaro.api_key
    os.chown(shared.folder / "tmp", UNKNOWN, UNKNOWN)
    shared.env["CONVERSYNC_WAREHOUSE"] = str(shared.folder / "tmp" / "warehouse.duckdb")
    assert shared.load(user=UNKNOWN).code == 0
    assert shared.run("alert", "--test", user=UNKNOWN).code == 0
    shared.run("load", "keitaro", user=UNKNOWN).refused(2, "keitaro_url")
    assert {request.query.get("per_page") for request in shared.sandbox.requests} == {"1000"}
    assert not (shared.folder / "ran").exists()


def test_l01_a_workspace_is_none_of_ours(place: Place) -> None:
    """What turns the folder into a workspace of dlt's, with a profile's settings: neither is looked at."""
    written(place, ".workspace", "")
    written(place, "dev.config.toml", SEVEN)
    assert place.load().code == 0
    assert {request.query["per_page"] for request in place.sandbox.requests} == {"1000"}


def test_l01_another_settings_folder_is_refused(place: Place) -> None:
    """DLT_CONFIG_FOLDER would have dlt read what we never looked at: exit 2, and what to do; else it is nothing."""
    elsewhere = place.folder / "tmp" / "conf"
    place.env["DLT_CONFIG_FOLDER"] = str(elsewhere)
    place.loaded()
    theirs(elsewhere / "config.toml", SEVEN)
    asked = len(place.sandbox.requests)
    place.load().refused(2, "DLT_CONFIG_FOLDER", "would not be read", "unset the variable")
    assert len(place.sandbox.requests) == asked


WAYS = {
    "l03-file-of-all": ("config.toml", 0o666, 0, "everyone on this machine", "chmod go-w"),
    "l03-file-of-a-group": ("config.toml", 0o660, OTHER, "the group nogroup", "chmod g-w"),
    "l03-folder-of-all": ("", 0o777, 0, "everyone on this machine", "chmod go-w"),
    "l03-folder-of-a-group": ("", 0o770, OTHER, "the group nogroup", "chmod g-w"),
    "l03-project-of-all": ("..", 0o777, 0, "everyone on this machine", "chmod go-w"),
}
POWERS = {
    "a-program": ("config.toml", "alert_command = 'tell-me'"),
    "an-address": ("config.toml", "[sources.besitos]\nbesitos_url = 'http://127.0.0.1:9'"),
    "a-proxy": ("secrets.toml", "proxy = 'http://127.0.0.1:9'"),
    "a-webhook": ("secrets.toml", "alert_webhook = 'http://127.0.0.1:9/x'"),
    "a-query": ("config.toml", "[send.keitaro.conversions]\nquery = 'select 1 as send_key'"),
    "a-warehouse": ("config.toml", "warehouse = 'theirs.duckdb'"),
    "a-copy": ("config.toml", "published = 'theirs.duckdb'"),
    "its-lake": ("config.toml", "published_lake = 's3://theirs/lake'"),
    "its-readers": ("config.toml", "published_readers = 'everyone'"),
    "what-they-read": ("config.toml", "publish_personal = true"),
    "an-outbox": ("config.toml", "[send.keitaro.conversions]\nfrom = 'main.theirs'"),
    "who-a-player-is": ("config.toml", "[send]\nsend_player_ids = 'main.theirs'"),
    "a-destination": ("secrets.toml", "[destination.postgres]\ncredentials = 'postgresql://u:p@127.0.0.1/x'"),
}


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize("way", WAYS)
def test_l03_what_others_can_change(place: Place, way: str) -> None:
    """Settings that only tune are a warning with the way out; one that names a program is refused."""
    name, bits, group, who, way_out = WAYS[way]
    file = written(place, "config.toml", SEVEN)
    weak = file.parent / name
    os.chown(weak, 0, group)
    weak.chmod(bits)
    done = place.load()
    assert done.code == 0, done.told
    assert who in done.err
    assert way_out in done.err
    requests = len(place.sandbox.requests)
    file.write_text("alert_command = 'tell-me'\n" + SEVEN)
    place.load().refused(2, "names alert_command", who, way_out, "was not followed")
    assert len(place.sandbox.requests) == requests
    weak.chmod(bits & 0o755)
    assert place.load("--dry-run").err == ""


@pytest.mark.quick(1)
@pytest.mark.parametrize("power", POWERS)
def test_l03_what_may_not_be_others(place: Place, power: str) -> None:
    """A file of another user's that names a program, a query or an address: refused, before any request."""
    name, text = POWERS[power]
    theirs(written(place, name, text))
    place.load().refused(2, f".dlt/{name} names ", "the user nobody can change", "chown 0 ")
    assert place.sandbox.requests == []
    os.chown(place.folder / ".dlt" / name, 0, 0)
    assert "can change" not in place.load("--dry-run").told


@pytest.mark.more
def test_l03_a_mounted_address_that_others_can_change(place: Place) -> None:
    """A variable that names a file is no way around; a secret that is mounted so is one as ever."""
    place.env["BESITOS_URL_FILE"] = str(theirs(place.folder / "tmp" / "url", place.env.pop("BESITOS_URL")))
    place.load().refused(2, "BESITOS_URL_FILE names", "the user nobody")
    assert place.sandbox.requests == []
    place.env["CONVERSYNC_SETTINGS_OWNER"] = "nobody"
    place.env["BESITOS_TOKEN_FILE"] = str(theirs(place.folder / "tmp" / "t", place.env.pop("BESITOS_TOKEN")))
    place.loaded()


@pytest.mark.more
def test_l03_a_mounted_place_that_others_can_change(place: Place) -> None:
    """The same for where the warehouse is."""
    warehouse = place.env.pop("CONVERSYNC_WAREHOUSE")
    place.env["CONVERSYNC_WAREHOUSE_FILE"] = str(theirs(place.folder / "tmp" / "place", warehouse))
    place.load().refused(2, "CONVERSYNC_WAREHOUSE_FILE names", "the user nobody")
    assert place.sandbox.requests == []
    os.chown(place.folder / "tmp" / "place", 0, 0)
    place.loaded()


def test_l03_who_deploys_for_another_user_says_so(place: Place) -> None:
    """Files of a user that the environment names are followed; a name that nobody has is a sentence."""
    theirs(written(place, "config.toml", "alert_command = 'tell-me'"))
    for given in ("nobody", str(OTHER)):
        place.env["CONVERSYNC_SETTINGS_OWNER"] = given
        done = place.load("--dry-run")
        assert (done.code, done.err) == (0, "")
    place.env["CONVERSYNC_SETTINGS_OWNER"] = "nobody-of-that-name"
    place.load("--dry-run").refused(2, "CONVERSYNC_SETTINGS_OWNER", "no such user")


def test_l03_what_is_nobody_elses(place: Place) -> None:
    """A group without another member, and a folder in which only the owner replaces a file: no word."""
    file = written(place, "config.toml", "alert_command = 'tell-me'")
    for path in (file, file.parent):
        os.chown(path, UNKNOWN, UNKNOWN)
        path.chmod(0o770)
    place.folder.chmod(0o1777)
    done = place.run("load", "besitos", "--dry-run", user=UNKNOWN)
    assert (done.code, done.err) == (0, "")


@pytest.mark.more
def test_l03_check_tells_modes_owners_and_what_others_can_do(place: Place) -> None:
    """A line for each place of ours, with the way out where somebody else could change or read it."""
    written(place, "config.toml", SEVEN).chmod(0o666)
    place.loaded()
    place.warehouse.chmod(0o644)
    copy, temporary = place.folder / "published", place.folder / "tmp"
    theirs(copy)
    temporary.chmod(0o777)
    lines = place.run("check", "besitos").out.splitlines()
    told = {line.split(": ", 1)[0]: line for line in lines if line.startswith(("here ", "open "))}
    assert "0666 the user root: everyone on this machine can change" in told["open .dlt/config.toml"]
    assert "0644 the user root: everyone on this machine can read" in told[f"open {place.warehouse}"]
    assert told[f"here {place.folder / '.conversync'}"].endswith(": 0700 the user root")
    assert told[f"here {copy / 'warehouse.duckdb'}"].endswith(": 0600 the user root")
    assert f"the user nobody can change {copy}; end it with: chown 0 {copy}" in told[f"open {copy}"]
    assert f"0777 the user root: everyone on this machine can change {temporary}" in told[f"open {temporary}"]


def test_l03_check_tells_of_a_folder_above_that_all_can_write(place: Place) -> None:
    """What lies in it could be moved away and replaced, whoever it belongs to; also before it is made."""
    above = place.folder / "tmp" / "share"
    above.mkdir()
    above.chmod(0o777)
    place.env["CONVERSYNC_PUBLISHED"] = str(above / "team" / "copy.duckdb")
    place.env["KEITARO_URL"] = "http://127.0.0.1:9"
    done = place.run("check", "keitaro")
    assert f"open {above}: 0777 the user root: everyone on this machine can change {above}" in done.out
    above.chmod(0o755)
    theirs(above)
    done = place.run("check", "keitaro")
    assert f"open {above}: 0755 the user nobody: the user nobody can change {above}; end it with:" in done.out


def test_l03_a_link_that_somebody_else_can_turn_elsewhere(place: Place) -> None:
    """Settings behind another user's link are as good as theirs, whoever the file belongs to."""
    file = written(place, "config.toml", "alert_command = 'tell-me'")
    kept = file.rename(place.folder / "tmp" / "kept.toml")
    file.symlink_to(kept)
    theirs(file)
    place.load("--dry-run").refused(2, "names alert_command", "the user nobody can change", "chown -h 0 ")
    os.chown(file, 0, 0, follow_symlinks=False)
    assert place.load("--dry-run").err == ""
