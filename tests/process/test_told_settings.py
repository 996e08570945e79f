"""Settings and options that were taken in silence: what is said of them, and where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.cli.main import COMMANDS
from tests.process.support import Place

TOKEN = "besitos_token = 'another-token'"
WRONG = {
    "zone": ("besitos_zone = 'Mars'", "which is no time zone"),
    "lookback": ("besitos_lookback_days = 0", "but must be at least 1"),
    "start": ("besitos_start_date = 'yesterday'", "which is no day"),
    "page": ("besitos_page_size = 'many'", 'besitos_page_size is "many" in'),
}


def written(place: Place, name: str, text: str) -> Path:
    """A settings file of this place."""
    path = place.folder / ".dlt" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.more
@pytest.mark.parametrize("case", WRONG)
def test_k02_a_wrong_setting_is_told_with_its_place(place: Place, case: str) -> None:
    """Its value, and the file and the section in which it stands: at the top, or in its own."""
    line, words = WRONG[case]
    written(place, "config.toml", f"{line}\n")
    place.load().refused(2, words, "in .dlt/config.toml")
    written(place, "config.toml", f"[sources.besitos]\n{line}\n")
    place.load().refused(2, words, "in [sources.besitos] of .dlt/config.toml")
    assert place.sandbox.requests == []


def test_k08_check_says_which_of_two_values_counts(place: Place) -> None:
    """At the top and in the section, in a file and in the environment; equal ones are no news."""
    written(
        place,
        "config.toml",
        "besitos_zone = 'UTC'\nbesitos_page_size = 50\n"
        "[sources.besitos]\nbesitos_zone = 'EST'\nbesitos_page_size = 50\nbesitos_lookback_days = 9\n",
    )
    place.env["BESITOS_LOOKBACK_DAYS"] = "8"
    told = place.run("check", "besitos").out
    assert (
        'besitos_zone stands in two places: "EST" in [sources.besitos] of .dlt/config.toml counts, "UTC" in '
        ".dlt/config.toml does not."
    ) in told
    assert (
        'besitos_lookback_days stands in two places: "8" in the environment (BESITOS_LOOKBACK_DAYS) counts'
        in told
    )
    assert "besitos_page_size stands" not in told
    assert [line.split()[-4:] for line in told.splitlines() if line.startswith(" besitos_zone")] == [
        ["EST", "[sources.besitos]", "of", ".dlt/config.toml"]
    ]


def test_auto_is_taken_from_a_file_and_what_it_comes_to_is_told(place: Place) -> None:
    """By check, where nothing was loaded yet, too; a number in the environment wins, and "auto" there over that."""
    written(place, "config.toml", "[sources.besitos]\nbesitos_lookback_days = 'auto'\n")
    told = place.run("check", "besitos")
    assert (
        "here besitos: besitos_lookback_days is auto: 7 days, no late row was measured in 0 days; that is its default, "
        "until 28 days were watched"
    ) in told.out
    assert "besitos_reversal_lookback_days is auto" not in told.out
    place.env["BESITOS_LOOKBACK_DAYS"] = "8"
    assert "is auto" not in place.run("check", "besitos").out
    place.env |= {"BESITOS_LOOKBACK_DAYS": "9", "SOURCES__BESITOS__BESITOS_LOOKBACK_DAYS": "auto"}
    assert "besitos_lookback_days is auto" in place.run("check", "besitos").out


@pytest.mark.more
@pytest.mark.parametrize("beside", ["environment", "secrets.toml"])
def test_k05_a_secret_in_the_file_that_is_shared_is_told(place: Place, beside: str) -> None:
    """Each command says which one counts, and to delete the other; it shows neither."""
    config = written(place, "config.toml", f"[sources.besitos]\n{TOKEN}\n")
    where = "the environment (BESITOS_TOKEN)"
    if beside == "secrets.toml":
        written(
            place, "secrets.toml", f"[sources.besitos]\nbesitos_token = '{place.env.pop('BESITOS_TOKEN')}'\n"
        )
        where = "[sources.besitos] of .dlt/secrets.toml"
    done = place.load()
    assert done.code == 0, done.told
    assert (
        f"besitos_token stands in [sources.besitos] of .dlt/config.toml, too, which may be shared. The one in {where} "
        "counts: delete it there."
    ) in done.err
    assert "another-token" not in done.told
    assert place.sandbox.token not in done.told
    config.unlink()
    assert "may be shared" not in place.load().told


def test_k08_two_tokens_are_told_and_not_shown(place: Place) -> None:
    """In secrets.toml and in the environment: `check` says which one counts."""
    written(place, "secrets.toml", f"[sources.besitos]\n{TOKEN}\n")
    told = place.run("check", "besitos").told
    assert (
        "besitos_token stands in two places: in the environment (BESITOS_TOKEN) counts, in [sources.besitos]"
        in told
    )
    assert "another-token" not in told


def test_p15_verify_refuses_days_the_wrong_way_round(loaded: Place) -> None:
    """Exit 2 before any request, with the names of the options; also where --to is yesterday without being said."""
    asked = len(loaded.sandbox.requests)
    done = loaded.run("verify", "besitos", "--from", "2024-12-09", "--to", "2024-12-08")
    done.refused(2, "--from 2024-12-09 comes after --to 2024-12-08")
    done = loaded.run("verify", "besitos", "--from", "2999-12-09")
    done.refused(2, "--from 2999-12-09 comes after", "the last day that is compared without --to")
    assert len(loaded.sandbox.requests) == asked


@pytest.mark.more
def test_k25_a_folder_that_is_missing_is_made_by_a_load_alone(place: Place) -> None:
    """And that is said; what only reads ends with 2, and makes none."""
    missing = place.folder / "mistyped" / "warehouse.duckdb"
    commands = ("status", "verify", "alert", "build", "publish", "report", "load --dry-run")
    for words in commands:
        name, *more = words.split()
        done = place.run(name, *more, "--warehouse", str(missing))
        assert done.code == (0 if more else 2), done.told
        assert more or "There is no warehouse" in done.told
        assert not missing.parent.exists(), words
    done = place.load("--warehouse", str(missing))
    assert done.code == 0, done.told
    said = f"conversync: the folder {missing.parent} was not there; it is made for the warehouse.\n"
    assert done.err.count(said) == 1
    assert "was not there" not in place.load("--warehouse", str(missing)).told


@pytest.mark.parametrize("name", [command.__name__ for command in COMMANDS])
def test_help_shows_no_type_of_python(place: Place, name: str) -> None:
    """What an option takes is a DATE, a PATH, a N; a flag takes nothing."""
    told = place.run(name, "--help").out
    assert "--help" in told
    assert [word for word in ("<bool>", "<str>", "<int>", "<float>", "list[", "[[") if word in told] == []


def test_a_table_fits_a_file_or_a_mail(place: Place) -> None:
    """A hundred columns where there is no terminal, whatever the settings hold; nothing of them is cut off."""
    partner = "p" * 150
    place.env["BESITOS_PARTNER_ID"] = partner
    told = place.run("check", "besitos").out
    table = [line for line in told.splitlines() if line.startswith(" ")]
    assert table
    assert max(map(len, table)) <= 100
    assert sum(len(word) for line in table for word in line.split() if set(word) == {"p"}) == len(partner)
