"""L11: a secret and what takes a terminal over are nowhere, a person is only where docs/privacy.md says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from tests.canary.story import PERSON, POSTBACK, RAW_SIGNS, SECRET, Story, rows_of
from tests.process.test_secrets import forms
from tests.support import CONVERSYNC

PRIVACY = Path(__file__).parents[2] / "docs" / "privacy.md"
# What asks for the exact requests, and gets them.
ASKS = "send infobip.messages --dry-run"
BYTES = {name: value.encode() for name, value in PERSON.items()}
TABLES = """
    select schema_name, table_name, list(column_name) from duckdb_columns() where not internal
    group by all order by all
"""


def secret_forms() -> set[bytes]:
    """Of both secrets, in whatever way they may be written."""
    return forms(SECRET) | forms(POSTBACK)


def person_in(text: str) -> set[str]:
    """What of the person stands in a text."""
    return {name for name, value in PERSON.items() if value in text}


def documented(section: str) -> list[tuple[str, list[str]]]:
    """The places that a section's table names: each with the names in its second column."""
    text = PRIVACY.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = []
    for line in text.splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3]]
        if line.startswith("|") and len(cells) == 2 and cells[0]:
            found += [(place, cells[1]) for place in cells[0]]
    assert found, f"privacy.md names no place in {section}"
    return found


@cache
def cells(file: Path) -> list[tuple[str, str, str]]:
    """Every text of every table and view that holds a canary: (schema.table, column, value)."""
    words = [*PERSON.values(), *RAW_SIGNS, *(form.decode() for form in secret_forms())]
    found = []
    for schema, table, columns in rows_of(file, TABLES):
        listed = ", ".join(f'cast("{column}" as varchar)' for column in columns)
        for row in rows_of(file, f'select {listed} from "{schema}"."{table}"'):
            found += [
                (f"{schema}.{table}", column, value)
                for column, value in zip(columns, row, strict=True)
                if value and any(word in value for word in words)
            ]
    return found


def files(story: Story) -> list[Path]:
    """What was left in the project's folder; but the settings, of which there are no secret ones."""
    return [path for path in story.folder.rglob("*") if path.is_file()]


def test_l11_the_secret_is_nowhere(story: Story) -> None:
    """Not printed, logged, told, in a table, a file, a page, an argument or a child's environment, in no form."""
    told = [
        *story.outputs.values(),
        *story.posted,
        *story.arguments,
        *story.children,
        *story.children.values(),
    ]
    told += [value for file in story.databases for _, _, value in cells(file)]
    for form in secret_forms():
        assert not [text for text in told if form in text.encode()], form
        assert not [path for path in files(story) if form in path.read_bytes()], form
        assert not [path for path, found in story.killed.items() if "secret" in found]


def test_l11_no_terminal_is_taken_over(story: Story) -> None:
    """What a vendor wrote clears no screen, turns no line around: not printed, logged, told, or in a file of text."""
    sources = {**story.outputs, **{f"posted {n}": text for n, text in enumerate(story.posted)}}
    sources |= {f"argument {n}": text for n, text in enumerate(story.arguments)}
    sources |= {f"environment of {line}": text for line, text in story.children.items()}
    sources |= {
        str(path.relative_to(story.folder)): path.read_bytes().decode(errors="replace")
        for path in files(story)
        if not any(mark in path.name for mark in (".duckdb", ".sqlite"))
    }
    assert "told.json" in sources
    assert {name: sign for name, text in sources.items() for sign in RAW_SIGNS if sign in text} == {}


def test_l11_no_alert_takes_a_terminal_over(story: Story) -> None:
    """Nor once its JSON is read: whoever is told shows the text."""
    program = (story.folder / "told.json").read_text()
    texts = [json.loads(text)["text"] for text in (*story.posted, program)]
    assert texts
    assert [sign for text in texts for sign in RAW_SIGNS if sign in text] == []


@pytest.mark.parametrize("story", [pytest.param("whole", marks=pytest.mark.long)], indirect=True)
def test_l11_the_page_takes_nothing_over(story: Story) -> None:
    """Nobody who copies out of it either."""
    pages = [path for path in files(story) if path.suffix == ".html"]
    assert pages
    assert [sign for path in pages for sign in RAW_SIGNS if sign in path.read_text()] == []


def test_l11_a_person_is_told_to_nobody(story: Story) -> None:
    """But to who asks for the exact requests: no output, log, alert, argument or environment holds the person."""
    told = {name: person_in(text) for name, text in story.outputs.items() if not name.startswith(ASKS)}
    assert {name: found for name, found in told.items() if found} == {}
    assert {"phone", "text"} <= person_in(story.outputs[ASKS])
    others = [*story.posted, *story.arguments, *story.children, *story.children.values()]
    assert [found for text in others if (found := person_in(text))] == []
    assert story.children, "no process was seen"
    assert any("email" in text for text in story.posted), "the alert did not tell of the new fields"


def test_l11_a_person_stands_only_in_the_tables_that_privacy_names(story: Story) -> None:
    """Every table, view and column of warehouse and copy is looked through."""
    known, found = documented("In the warehouse"), set[tuple[str, str]]()
    for file in story.databases:
        found |= {(place, column) for place, column, value in cells(file) if person_in(value)}
    unnamed = {
        (place, column)
        for place, column in found
        if not any(
            fnmatch(place, name) and any(fnmatch(column, one) for one in columns) for name, columns in known
        )
    }
    assert unnamed == set()
    for place in (
        "besitos.conversion_events",
        "keitaro.rejected_rows",
        "sent.infobip_messages",
        "main.texts",
    ):
        assert place in {one for one, _ in found}, f"the person did not come to {place}"


def test_l11_a_person_stands_only_in_the_files_that_privacy_names(story: Story) -> None:
    """Also in those that a killed run leaves."""
    known = [name for name, _ in documented("In files")]
    left = {
        str(path.relative_to(story.folder)): [
            name for name, value in BYTES.items() if value in path.read_bytes()
        ]
        for path in files(story)
    }
    for place, found in (*left.items(), *story.killed.items()):
        assert not found or any(fnmatch(place, name) for name in known), f"{place}: {found}"
    assert any(found for place, found in left.items() if place.startswith(".conversync/journal-"))
    assert any("/runs-" in place for place in story.killed), "nothing of a killed run was seen"
    assert not [place for place in left if "/runs-" in place or place.startswith("tmp/")]


def test_l11_readers_get_what_privacy_says(story: Story) -> None:
    """No number, no text and no raw row of ours: null in the copy; the rest is what the warehouse has."""
    copy = story.databases[1]
    held = {(place, column) for place, column, value in cells(copy) if {"other phone"} & person_in(value)}
    assert held == {place for place in held if place[1].startswith("sub_id_")}, held
    assert rows_of(copy, "select count(*), count(raw) from besitos.rejected_rows")[0][1] == 0
    assert rows_of(copy, "select distinct address, message from main.texts") == [(None, None)]
    assert rows_of(copy, "select count(address) from sent.infobip_message_results") == [(0,)]


def test_l11_one_person_goes_as_privacy_says(story: Story, tmp_path: Path) -> None:
    """`conversync forget` with all ids: the person is in no table and no file, and no sum moves."""
    shutil.copytree(story.folder, tmp_path / "project")
    place = tmp_path / "project" / "warehouse.duckdb"
    (tmp_path / "project" / "published" / "report.html").unlink(missing_ok=True)
    sums = "select sum(net_payout), count(*) from besitos.conversions"
    before, ids = rows_of(place, sums), [value for name, value in PERSON.items() if name != "text"]
    done = subprocess.run(
        [CONVERSYNC, "forget", "-", "--project", str(place.parent)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CONVERSYNC_PRIVACY_KEY": "a key of the tests alone",
        },
        input="\n".join(ids),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert person_in(done.stdout + done.stderr) == set()
    assert rows_of(place, sums) == before
    for file in (place, place.parent / "published" / "warehouse.duckdb"):
        assert [(name, value) for name, _, value in cells(file) if person_in(value) - {"text"}] == []
    left = [path for path in place.parent.rglob("*") if path.is_file() and path.name != "tell us.sh"]
    assert {
        str(path): found
        for path in left
        if (found := [name for name, value in BYTES.items() if name != "text" and value in path.read_bytes()])
    } == {}


def test_l11_the_search_itself_finds_a_person(story: Story) -> None:
    """A search that can find nothing proves nothing: the vendors' answers did hold all three."""
    seen = {one for _, _, value in cells(story.databases[0]) for one in person_in(value)}
    assert seen == set(PERSON)
    assert any(RAW_SIGNS[0] in value for _, _, value in cells(story.databases[0])), "no sequence came in"
    assert "***" in story.outputs["load besitos --debug"], "the secret was not quoted back"
