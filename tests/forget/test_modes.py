"""What is kept of users' ids (`besitos_user_id_mode`), and what a page holds of who was forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conversync.errors import SettingsError
from conversync.extract import persons
from conversync.extract.columns import zone
from conversync.extract.decoded import Decoded, Rejected
from conversync.extract.page_decoder import PageDecoder
from conversync.extract.persons import Ids, Persons
from conversync.sandbox import Sandbox, World
from sources.besitos.feed import decoder, hashes, statements
from sources.besitos.settings import BesitosSettings
from tests.besitos.rows import FROM, TO, row
from tests.houses import VendorWorkspace, environment

PERSON, KEY = "canaryUser4d1c", "a key of the tests, and of nobody else"
SECRET = {"CONVERSYNC_PRIVACY_KEY": KEY}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[VendorWorkspace]:
    """A conversion in two spellings of one id, and a bad row."""
    with Sandbox(World(days=1)) as sandbox:
        sandbox.besitos.rows = [
            row(1, user_id=PERSON),
            row(2, user_id=PERSON.upper(), date_time="2024-12-05 06:25:36"),
            row(3, user_id=PERSON, reward=f"much, says {PERSON}"),
            row(4, user_id=None),
            row(5, user_id={"a": PERSON}, date_time="2024-12-05 06:25:36"),
        ]
        yield VendorWorkspace("besitos", sandbox, tmp_path, {"BESITOS_CONCURRENCY": "1", **SECRET})


def everything(house: VendorWorkspace) -> str:
    """All that the dataset holds."""
    tables = ("conversion_events", "rejected_rows", "windows")
    return str([house.query(f"select * from besitos.{name}") for name in tables])


def test_an_id_is_stored_as_it_came_unless_something_else_is_said(house: VendorWorkspace) -> None:
    """As ever; and the search below can find it."""
    assert house.run(FROM, TO).error is None
    assert house.query("select user_id, user_key from besitos.conversion_events order by transaction_id") == [
        (PERSON, PERSON.lower()),
        (PERSON.upper(), PERSON.lower()),
        (None, None),
    ]
    assert PERSON in everything(house)


@pytest.mark.parametrize("mode", ["hmac", "drop"])
def test_another_mode_keeps_no_id_and_is_the_same_every_night(house: VendorWorkspace, mode: str) -> None:
    """Not in a row that was set aside, nor in its text; the second night states nothing anew."""
    house.settings["BESITOS_USER_ID_MODE"] = mode
    assert house.run(FROM, TO).error is None
    stands = persons.fingerprint(KEY.encode(), "user", PERSON.lower()) if mode == "hmac" else None
    query = "select user_id, user_key from besitos.conversion_events order by transaction_id"
    assert house.query(query) == [(stands, stands), (stands, stands), (None, None)]
    assert PERSON.lower() not in everything(house).lower()
    [[raw]] = house.query("select raw from besitos.rejected_rows where raw like '%much%'")
    assert json.loads(raw)["user_id"] == stands
    again = house.run(FROM, TO)
    assert (again.error, again.exit_code) == (None, 0)
    assert house.query("select count(*), count(valid_to) from besitos.conversion_events") == [(3, 0)]
    assert house.query("select count(*) from besitos.rejected_rows") == [(2,)]


def test_a_mode_that_cannot_be_meant_is_refused() -> None:
    """And so is one without its key, before any request."""
    with environment({"BESITOS_TOKEN": "t-0123456789"}):
        for mode, word in (("hashed", "must be raw, hmac, drop"), ("hmac", "privacy_key")):
            settings = BesitosSettings()
            settings.besitos_user_id_mode = mode
            with pytest.raises(SettingsError, match=word):
                settings.ids()
    with environment({"CONVERSYNC_PRIVACY_KEY": "short"}), pytest.raises(SettingsError, match="16"):
        settings.ids()


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        ("canaryUser4d1c", True),
        (" CANARYUSER4D1C ", True),
        ("for canaryuser4d1c!", True),
        ('{"a": ["x", {"b": "uid=canaryUser4d1c&c=1"}]}', True),
        ('{"a": "\\u0063anaryUser4d1c"}', True),
        ('{"canaryUser4d1c": 1}', True),
        ("canaryUser4d1c2", False),
        ("acanaryUser4d1c", False),
        ("somebody else", False),
        ("", False),
    ],
)
def test_an_id_is_found_as_a_word_and_in_no_longer_one(text: str, is_held: bool) -> None:
    """In whatever letters, within a text or a JSON; somebody whose id begins the same is somebody else."""
    assert Persons.of(KEY.encode(), [PERSON]).in_json(text) is is_held


@pytest.mark.parametrize(
    "person", ["canary.person@example.org", "+49 171 5558842", "auth0|4d1c-é", "4711", "ß-STRASSE"]
)
def test_whatever_an_id_is_made_of(person: str) -> None:
    """Signs and blanks are part of it."""
    known = Persons.of(KEY.encode(), [person])
    assert known.holds(f"call {person.upper()}, please")
    assert known.holds(person)
    assert not known.holds(f"x{person}9")


def test_in_a_row_set_aside_an_id_is_found_within_a_word_too() -> None:
    """It may be glued to whatever made the row unreadable; but not a short one."""
    known, short = Persons.of(KEY.encode(), ["491715558842"]), Persons.of(KEY.encode(), ["4711"])
    assert (known.holds("tel491715558842x"), known.anywhere("tel491715558842x")) == (False, True)
    assert (known.anywhere("tel49171555884"), short.anywhere("x4711x")) == (False, False)


def test_a_short_id_is_only_found_alone() -> None:
    """Or it would be found in everybody's texts."""
    known = Persons.of(KEY.encode(), ["42"])
    assert (known.holds("42"), known.holds("level 42 reached")) == (True, False)


def page(*rows: dict[str, Any]) -> bytes:
    """As the vendor would serve it."""
    meta = {"current_page": 1, "last_page": 1, "total": len(rows), "per_page": 100}
    return json.dumps({"data": rows, "links": {"next": None}, "meta": meta}).encode()


def decoded(body: bytes, forgotten: Persons | None = None, ids: Ids = persons.RAW) -> Decoded:
    """By Besitos' own decoder."""
    with persons.heeded(forgotten or Persons()):
        made: PageDecoder = decoder(ids)
    return made.decode(body)


def test_a_page_is_cleared_of_who_was_forgotten_and_of_nobody_else() -> None:
    """Money, times and keys stay, and so does the currency that only an unknown field tells."""
    body = page(
        row(1, user_id=PERSON, note="n", currency_code="EUR", email="e@example.org"),
        row(2, user_id="other", note=f"by {PERSON}"),
        row(3, user_id="other", player=PERSON),
        row(4, user_id="other", email="e@example.org"),
    )
    plain, cleared = decoded(body).table, decoded(body, Persons.of(KEY.encode(), [PERSON])).table
    kept = [name for name in plain.column_names if name not in ("user_id", "note", "extra")]
    assert cleared.select(kept) == plain.select(kept)
    assert cleared["user_id"].to_pylist() == [None, "other", "other", "other"]
    assert cleared["note"].to_pylist() == [None, None, *plain["note"].to_pylist()[2:]]
    extra = [one and json.loads(one) for one in cleared["extra"].to_pylist()]
    assert extra == [{"currency_code": "EUR"}, None, None, {"email": "e@example.org"}]


def test_a_row_set_aside_keeps_its_hash_its_day_and_its_id() -> None:
    """So it is known again, and no news the next night."""
    body = page(row(1, user_id=PERSON, reward="much", email="e@example.org"), row(2, user_id="other"))
    [before], [after] = (decoded(body, one).rejected for one in (None, Persons.of(KEY.encode(), [PERSON])))
    assert json.loads(after.raw) == {
        "transaction_id": 1,
        "offer_id": "tU5z8PU5BIR9",
        "goal_id": "tU5z8PU5BIR9_133",
        "date_time": "2024-12-04 06:25:36",
    }
    assert (after.raw_hash, after.reason) == (before.raw_hash, before.reason)


@pytest.mark.parametrize(
    "raw", ['{"user_id": "canaryUser4d1c', '{"USER_ID" : "canaryUser4d1c", "a": [', '{"user_id": 47}}']
)
def test_a_row_that_cannot_be_read_has_no_id_either(raw: str) -> None:
    """Cut off, or no JSON at all."""
    guard = persons.Guard(decoder().fields, Ids("drop"))
    table = decoded(page(row(1))).table
    [left] = guard.applied(Decoded({}, table, [Rejected(raw, "bad")])).rejected
    assert "canary" not in left.raw
    assert "47" not in left.raw
    assert "null" in left.raw


def test_the_hash_of_a_held_row_is_that_of_the_row_that_comes() -> None:
    """Of conversions and reversals, in dollars or not: else a cleared row would be stated anew each night."""
    rows = [
        row(1),
        row(2, currency="EUR", goal_id=None),
        row(3, reverse=1, note=None),
        row(4, date_time="2024-12-04T01:02:03Z"),
    ]
    held = statements(decoded(page(*rows)).table, zone("EST", "besitos_zone"))
    assert hashes(held).to_pylist() == held["statement_hash"].to_pylist()
    assert len(set(held["statement_hash"].to_pylist())) == len(rows)


def test_no_page_is_touched_where_nobody_was_forgotten() -> None:
    """It is the very same table: nothing is paid for it."""
    table = pa.table({"user_id": ["a"], "extra": pa.nulls(1, pa.string())})
    guard, came = persons.Guard((), persons.RAW), Decoded({}, table)
    assert guard.applied(came) is came
    assert guard.applied(replace(came)).table is table
