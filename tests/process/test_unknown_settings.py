"""K20, K21: a setting that nobody reads is refused with the name that was meant; half a vendor stops no other."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from conversync.send import options
from conversync.settings import accounts, registry
from tests.process.support import ROOT, Place

IN_A_FILE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a-key-of-send": ("config", "[send]\nsend_enable = false", ("[send] send_enable in", "send_enabled is")),
    "send-misspelt": ("config", "[sends]\nsend_enabled = false", ("[sends] in", "[send] is")),
    "sources-misspelt": (
        "secrets",
        "[source.besitos]\nbesitos_partner_id = 'p'",
        ("[source] in", "[sources] is"),
    ),
    "a-vendor-misspelt": (
        "config",
        "[sources.besitso]\nbesitos_zone = 'UTC'",
        ("[sources.besitso] in", "[sources.besitos] is"),
    ),
    "the-wrong-vendor": (
        "config",
        "[sources.keitaro]\nbesitos_zone = 'UTC'",
        ("[sources.keitaro] besitos_zone in", "it belongs in [sources.besitos]"),
    ),
    "without-its-vendor": (
        "config",
        "[sources.besitos]\nlookback_days = 3",
        ("[sources.besitos] lookback_days in", "besitos_lookback_days is"),
    ),
    "below-a-section": (
        "config",
        "[sources.besitos]\nbesitos_zone = 'EST'\nwarehouse = 'other.duckdb'",
        ("[sources.besitos] warehouse in", "it belongs at the top of the file"),
    ),
    "in-a-section-of-dlts": (
        "config",
        "[runtime]\nbesitos_lookback_days = 3",
        ("[runtime] besitos_lookback_days in", "it belongs in [sources.besitos]"),
    ),
    "a-section-of-its-own": (
        "config",
        "[besitos]\nbesitos_lookback_days = 3",
        ("[besitos] besitos_lookback_days in", "it belongs in [sources.besitos]"),
    ),
    "of-the-project": ("config", "warehuse = 'other.duckdb'", ("warehuse in", "warehouse is")),
    "of-one-target": (
        "config",
        "[send.keitaro.conversions]\nform = 'besitos'",
        ("[send.keitaro.conversions] form in", "from is"),
    ),
    "for-every-target": (
        "config",
        "[send]\nfrom = 'besitos'",
        ("[send] from in", "it belongs in the section of one target, such as [send."),
    ),
    "nothing-like-it": (
        "config",
        "[sources.besitos]\nqwertz = 1",
        ("[sources.besitos] qwertz in", "is not a setting"),
    ),
    "a-section-of-one-target": (
        "config",
        "[send.keitaro.conversion]\nfrom = 'besitos'",
        ("[send.keitaro.conversion] in", "is not a setting: [send.keitaro.conversions] is."),
    ),
    # K02: what a file says of the wrong kind
    "K02-a-number-for-a-file": ("config", "warehouse = 5", ("warehouse in", "must be text")),
    "K02-a-day-for-a-program": ("config", "alert_command = 2026-01-01", ("alert_command in", "must be text")),
    "K02-yes-for-a-number": (
        "config",
        "[sources.besitos]\nbesitos_lookback_days = true",
        ("[sources.besitos] besitos_lookback_days in", 'must be a whole number, or "auto"'),
    ),
    "K02-a-list-for-text": ("config", "[sources.besitos]\nbesitos_zone = ['EST']", ("must be text",)),
}


@pytest.mark.quick(3)
@pytest.mark.parametrize("case", IN_A_FILE)
def test_k20_a_name_that_nobody_reads_in_a_file(place: Place, case: str) -> None:
    """Exit 2 before any request: the file, the section and the name, and the one that was meant."""
    file, text, words = IN_A_FILE[case]
    path = written(place, f"{file}.toml", text)
    done = place.load()
    done.refused(2, *words, str(path.relative_to(place.folder)))
    assert place.sandbox.requests == []
    path.unlink()
    assert place.load("--dry-run").code == 0, "it was this line alone"


IN_THE_ENVIRONMENT = {
    "BESITOS_LOOKBCK_DAYS": "BESITOS_LOOKBACK_DAYS",
    "BESITOS_LOOKBACK": "BESITOS_LOOKBACK_DAYS",
    "BESITOS_START": "BESITOS_START_DATE",
    "BESITSO_ZONE": "BESITOS_ZONE",
    "BESITOS_ZNOE": "BESITOS_ZONE",
    "KEITARO_ULR": "KEITARO_URL",
    "besitos_zone": "BESITOS_ZONE",
    "BESITOS_TOKN_FILE": "BESITOS_TOKEN",
    "BESITOS_TOKEN_FIEL": "BESITOS_TOKEN is, or BESITOS_TOKEN_FILE",
    "BESITOS_TOKEN_PATH": "BESITOS_TOKEN is, or BESITOS_TOKEN_FILE",
    "CONVERSYNC_WAREHOUSE_FILENAME": "CONVERSYNC_WAREHOUSE is, or CONVERSYNC_WAREHOUSE_FILE",
    "KEITARO_CONVERSION_PATH": "KEITARO_CONVERSIONS_PATH",
    "SOURCES__BESITOS__BESITOS_TOKEN_FLIE": "SOURCES__BESITOS__BESITOS_TOKEN is",
    "HTTP_BUDGT": "HTTP_BUDGET",
    "SEND_ENABLE": "SEND_ENABLED",
    "CONVERSYNC_WAREHOSE": "CONVERSYNC_WAREHOUSE",
    "SOURCES__BESITOS__BESITOS_LOOKBAK_DAYS": "SOURCES__BESITOS__BESITOS_LOOKBACK_DAYS",
    "SOURCES__BESITOS__LOOKBACK_DAYS": "SOURCES__BESITOS__BESITOS_LOOKBACK_DAYS",
    "SOURCE__BESITOS__BESITOS_ZONE": "SOURCES__BESITOS__BESITOS_ZONE",
    "SEND__KEITARO__CONVERSIONS__FORM": "SEND__KEITARO__CONVERSIONS__FROM",
}


@pytest.mark.more
@pytest.mark.parametrize(("name", "meant"), IN_THE_ENVIRONMENT.items())
def test_k20_a_variable_that_is_nearly_one_of_ours(place: Place, name: str, meant: str) -> None:
    """Exit 2 before any request, with the name that was meant."""
    place.env[name] = "3"
    place.load().refused(2, f"{name} in the environment is not a setting: {meant}")
    assert place.sandbox.requests == []


OF_SENDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no-number": ("send_max_rows", "'many'", ("a whole number of 0 or more",)),
    "half-a-row": ("send_max_rows", "1.5", ("a whole number of 0 or more",)),
    "none-at-once": ("send_concurrency", "0", ("of 1 or more, at most 64",)),
    "below-nothing": ("send_max_change_pct", "-1", ("a number of 0 or more",)),
    "longer-than-a-day": ("http_budget", "90000", ("at most 86,400",)),
    "a-word-misspelt": (
        "send_missing",
        "'takeback'",
        ("tell, ignore or take_back", "Did you mean take_back?"),
    ),
    "a-switch": ("send_enabled", "'maybe'", ("true or false",)),
    "no-rate": ("send_rate", "5", ("write it like 5/s",)),
    "no-day": ("send_since", "'soon'", ("write it like 2024-12-01",)),
    "no-table": ("send_player_ids", "'a b'", ("a table (dataset.table)",)),
}


@pytest.mark.more
@pytest.mark.parametrize("case", OF_SENDS)
def test_k02_what_is_wrong_with_a_send_is_told_before_the_first_request(place: Place, case: str) -> None:
    """By a load, which sends nothing, too: once for all targets, with its place; nothing is asked or made."""
    name, value, words = OF_SENDS[case]
    written(place, "config.toml", f"[send]\n{name} = {value}\n")
    done = place.load()
    done.refused(2, *words, name, "in [send] of .dlt/config.toml")
    assert (done.told.count(name), done.told.count("\n")) == (1, 1)
    assert place.sandbox.requests == []
    assert not place.warehouse.exists()


@pytest.mark.parametrize("command", ["load", "nightly", "check"])
def test_k02_every_wrong_setting_of_a_send_is_told_once(place: Place, command: str) -> None:
    """Two mistakes, in two places: both in one answer, the same by each command."""
    text = "[send]\nsend_max_rows = -1\n[send.keitaro]\nsend_missing = 'forget'\n"
    written(place, "config.toml", text)
    done = place.run(command)
    done.refused(2, "in [send] of .dlt/config.toml", "in [send.keitaro] of .dlt/config.toml")
    assert (done.told.count("send_max_rows"), done.told.count("send_missing")) == (1, 1)
    assert place.sandbox.requests == []


def test_k02_every_setting_of_a_send_has_a_rule() -> None:
    """The registry names what may be set, and the options how it is read: of the same settings."""
    assert set(options.RULES) == set(registry.SEND)


def test_k02_what_cannot_be_read_is_told_where_it_stands(place: Place) -> None:
    """config.toml, secrets.toml, the environment, or a file that the environment names: the one that has it."""
    config = written(place, "config.toml", "[sources.besitos]\nbesitos_lookback_days = 'seven'\n")
    place.load().refused(
        2,
        'besitos_lookback_days is "seven" in [sources.besitos] of .dlt/config.toml, but must be a whole number, '
        'or "auto".',
    )
    config.unlink()
    secrets = written(place, "secrets.toml", "[sources]\nbesitos_lookback_days = 'seven'\n")
    place.load().refused(2, "in [sources] of .dlt/secrets.toml, but must be")
    secrets.unlink()
    variable = place.folder / "tmp" / "days"
    variable.write_text("seven")
    place.env["BESITOS_LOOKBACK_DAYS_FILE"] = str(variable)
    place.load().refused(2, "in the file that BESITOS_LOOKBACK_DAYS_FILE names, but must be")
    del place.env["BESITOS_LOOKBACK_DAYS_FILE"]
    place.env["BESITOS_LOOKBACK_DAYS"] = "seven"
    place.load().refused(2, "in the environment (BESITOS_LOOKBACK_DAYS), but must be")
    assert place.sandbox.requests == []


def test_k02_a_secret_in_config_toml_is_sent_to_the_other_file(place: Place) -> None:
    """Exit 2, the setting and both files, never the value."""
    written(place, "config.toml", f"[sources.besitos]\nbesitos_token = '{place.env.pop('BESITOS_TOKEN')}'\n")
    done = place.load()
    done.refused(2, "besitos_token is a secret: move it from .dlt/config.toml to .dlt/secrets.toml")
    assert place.sandbox.token not in done.told


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("load besitso", 'no source "besitso"'),
        ("nightly besitso", 'no source "besitso"'),
        ("verify besitso", 'no source "besitso"'),
        ("send keitaro.conversion", 'no target "keitaro.conversion"'),
        ("reconcile keitaor", '"keitaor" cannot be compared'),
        ("sandbox --variant ordr=newest", "no variant 'ordr' (did you mean order?)"),
        ("sandbox --variant order=newst", "not 'newst' (did you mean newest?)"),
        ("sandbox --variant ketiaro.page_cap=3", "no vendor 'ketiaro' (did you mean keitaro?)"),
    ],
)
def test_k20_a_word_of_a_command_that_names_nothing(place: Place, command: str, words: str) -> None:
    """Exit 2 with the word and the one that was meant, before any request."""
    done = place.run(*command.split())
    done.refused(2, words, "id you mean")
    assert place.sandbox.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--days", "-3"], "--days is -3, and may be from 1 to"),
        (["--days", "99999999"], "--days is 99999999"),
        (["--port", "70000"], "--port is 70000"),
        (["--clock", "soon"], "soon"),
        (
            ["--variant", "bogus=1"],
            "those of other vendors have keitaro., infobip., conductrics., optibase., server. before the name.",
        ),
    ],
)
def test_a_sandbox_that_cannot_be_meant_does_not_start(place: Place, options: list[str], words: str) -> None:
    """Exit 2 with the option, instead of a server that nobody asked for."""
    place.run("sandbox", *options).refused(2, "The sandbox cannot start", words)


def test_a_port_that_is_taken_is_named(place: Place) -> None:
    """And so is the way out."""
    port = place.sandbox.port
    words = f"port {port} is taken: name another one with --port, or 0 for any free one."
    place.run("sandbox", "--port", str(port)).refused(2, words)


def test_k02_days_to_keep_are_a_number_or_its_text(place: Place) -> None:
    """Of the project's settings that are text these may be numbers as well."""
    for value in ("400", "'400'"):
        written(place, "config.toml", f"retain_sent_days = {value}\nretain_rejected_days = {value}")
        done = place.load("--dry-run")
        assert done.code == 0, done.told


OTHERS = (
    *("BESITOS_SOMETHING_ELSE", "KEITARO_HOME", "KEITARO_SERVICE_HOST", "KEITARO_PORT_80_TCP"),
    *(
        "KEITARO_POSTBACK_URL",
        "CONVERSYNC_IMAGE",
        "BESITOS_PROFILE",
        "KEITARO_CERT_PATH",
        "BESITOS_TOKEN_OLD",
    ),
)


@pytest.mark.more
def test_k20_what_merely_begins_like_ours_is_told_by_check_alone(place: Place) -> None:
    """Another tool's variables and sections: one line of `check`; a load reads, and says nothing of them."""
    place.env |= dict.fromkeys(OTHERS, "1") | {"SENDGRID_API_KEY": "1", "PUBLISH": "1", "WAREHOUSE_DIR": "1"}
    dlts = "[runtime]\nlog_level = 'CRITICAL'\n[destination.snowflake.credentials]\nwarehouse = 'x'\n"
    written(
        place, "config.toml", dlts + "[normalize]\nworkers = 1\n[data_writer]\n[sources.github]\ntoken = 1"
    )
    place.loaded()
    checked = place.run("check", "besitos")
    [line] = [one for one in checked.out.splitlines() if one.startswith("note ")]
    assert [name for name in OTHERS if f"{name} in the environment" not in line] == []
    assert "[sources.github] in .dlt/config.toml" in line
    assert not any(word in line for word in ("SENDGRID", "PUBLISH", "WAREHOUSE_DIR", "runtime", "snowflake"))
    assert line.endswith("read by nobody here.")


def test_k20_every_setting_of_the_example_files_is_known() -> None:
    """The files that we ship, with every example in them uncommented, hold nothing that is refused."""
    for name in ("config.toml", "example.secrets.toml"):
        text = (ROOT / ".dlt" / name).read_text()
        lines = [line.removeprefix("# ") if is_example(line) else line for line in text.splitlines()]
        found, document = registry.Strangers(), tomllib.loads("\n".join(lines))
        registry.take_accounts(accounts.in_file(document))
        try:
            assert accounts.names_of("besitos") == ["eu"]
            registry.in_file(document, name, found)
        finally:
            registry.take_accounts([])
        assert (found.wrong, found.foreign) == ([], [])


def is_example(line: str) -> bool:
    """A setting, or a section of them, behind a hash."""
    name = line.removeprefix("# ").partition("=")[0].strip()
    return line.startswith("# ") and (name.isidentifier() or name.startswith("["))


def test_k20_what_the_code_reads_by_name_is_registered() -> None:
    """Each name that is asked for in so many words stands in the registry: the one list of what may be set.

    Options of a command, which are read alike, are no settings.
    """
    asked: set[str] = set()
    for path in Path(ROOT / "conversync").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = (
                READERS.get(ast.unparse(call.func).rpartition(".")[2]) if isinstance(call, ast.Call) else None
            )
            if isinstance(call, ast.Call) and place is not None:
                texts = [one.value for one in call.args[: place + 1] if isinstance(one, ast.Constant)]
                asked |= {text for text in texts[-1:] if isinstance(text, str) and not text.startswith("--")}
    assert {"published", "send_player_ids", "query", "alert_drop_pct"} <= asked
    assert asked - registry.known().names.keys() == set()


READERS = {"preference": 0, "standing": 0, "of_project": 0, "_number": 0, "_own": 1, "read": 1}


def half(place: Place) -> None:
    place.env["INFOBIP_USERNAME"] = "aladdin"


@pytest.mark.more
def test_k21_half_a_vendor_does_not_stop_the_others(place: Place) -> None:
    """Besitos loads, exactly; Infobip is told by the setting that it lacks; exit 2."""
    half(place)
    world = place.sandbox.world
    days = ("--from", str(world.day(-1).date()), "--to", str(world.now.date()), "--window", "400d")
    done = place.run("load", *days)
    done.refused(2, "infobip: infobip_password is not set", "INFOBIP_PASSWORD")
    assert place.held() == place.expected() != {}
    assert {request.path for request in place.sandbox.requests} == {"/data/partner/conversions"}


@pytest.mark.more
def test_k21_a_night_goes_on_beside_it(place: Place) -> None:
    """Loaded and published, the lack told as the failure of its own source; exit 2."""
    half(place)
    place.env["BESITOS_START_DATE"] = str(place.sandbox.world.day(-1).date())
    done = place.run("nightly", "--no-build", "--no-report", "--no-alert")
    done.refused(2, "infobip_password is not set")
    assert place.query("select count(*) from besitos.conversion_events") != [(0,)]
    assert (place.folder / "published" / "warehouse.duckdb").exists()


def test_k21_all_of_them_half_is_a_sentence_each(place: Place) -> None:
    """Nothing to load: exit 2, every lack told at once, no request and no warehouse."""
    half(place)
    place.env["BESITOS_LOOKBACK_DAYS"] = "0"
    place.run("load").refused(2, "besitos_lookback_days is 0", "infobip_password is not set")
    assert place.sandbox.requests == []
    assert not place.warehouse.exists()


def test_k21_check_looks_at_the_others(place: Place) -> None:
    """What is missing is a finding of its own; the vendor that can be asked is asked."""
    half(place)
    done = place.run("check")
    done.refused(2, "LOOK infobip: infobip_password is not set", "besitos: ")
    assert place.sandbox.requests != []


@pytest.mark.more
def test_k21_verify_compares_the_others(place: Place) -> None:
    """Besitos is compared, and equal; Infobip is told by what it lacks; exit 2."""
    world = place.sandbox.world
    place.loaded()
    half(place)
    done = place.run("verify", "--from", str(world.day(2).date()), "--to", str(world.day(5).date()))
    done.refused(2, "infobip_password is not set", "besitos")
    assert "NOT EQUAL" not in done.told


def written(place: Place, name: str, text: str) -> Path:
    """A settings file of the place's project."""
    path = place.folder / ".dlt" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path
