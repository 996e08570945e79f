"""On which page of which window a statement was first read: as the vendor served it, told for one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pytest
import requests

from conversync.sandbox import Request
from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger
from tests.books.nights import FROM
from tests.books.test_as_of_postgres import night as night_on_a_server
from tests.dbt.cluster import Cluster, binary
from tests.keitaro.books import conversion
from tests.support import FEED, Finished, at_once, command

MakeLedger = Callable[..., Ledger]
# The night asks for the day after, too.
LAST = "2024-12-13"
Pages = dict[tuple[int, bool], int]
# Of each event, by its transaction and kind, the page of the statement that stands.
HELD = "select transaction_id, is_reversal, _page from besitos.conversion_events where valid_to is null"


def walk_over_all(asked: Sequence[Request]) -> list[Request]:
    """The newest walk that was not narrowed to reversals: its questions, in their order."""
    days = {"from_date": FROM, "to_date": LAST}
    whole = [one for one in asked if "is_reverse" not in one.query and days.items() <= one.query.items()]
    first = max(number for number, one in enumerate(whole) if one.query["page"] == "1")
    return whole[first:]


def served(house: Ledger, walk: Sequence[Request]) -> Pages:
    """The page on which the vendor has each event first, as it answers these questions once more."""
    found: Pages = {}
    for one in walk:
        there = {"Authorization": f"Bearer {house.sandbox.token}"}
        answer = requests.get(f"{house.sandbox.url}{one.target}", headers=there, timeout=10)
        for told in answer.json()["data"]:
            event = told["transaction_id"], bool(told.get("reverse"))
            found.setdefault(event, int(one.query["page"]))
    return found


def held(house: Ledger) -> Pages:
    """What the table says."""
    return {(number, is_reversal): page for number, is_reversal, page in house.query(HELD)}


def explain(house: Ledger, *asked: str, **where: str) -> Finished:
    """The command."""
    done = command("explain", *asked, cwd=house.folder, environment={**house.environment, **where})
    assert done.code == 0, done.err
    return done


def sales(numbers: range) -> list[dict[str, Any]]:
    """One for each, in this order."""
    return [row(number, user_id=f"u{number}", offer_id=f"o{number}") for number in numbers]


def test_a_statement_keeps_the_page_on_which_it_was_read_first(make_ledger: MakeLedger) -> None:
    """Rows that move to other pages state nothing new, and keep theirs; what is new has that of its own reading."""
    house = make_ledger(besitos_page_size="7")
    first = [*sales(range(1, 24)), reversal(2, user_id="u2", payout=4)]
    house.night(first)
    before = served(house, walk_over_all(house.asked(FEED)))
    assert held(house) == before
    assert len(set(before.values())) == 4
    since, twenty = len(house.sandbox.requests), {**first[19], "payout": 12}
    house.night([*sales(range(30, 38)), *first[:19], twenty, *first[20:]])
    now = served(house, walk_over_all(house.asked(FEED, since)))
    assert now[20, False] != before[20, False]
    assert held(house) == {**now, **before, (20, False): now[20, False]}
    assert house.query("select count(*) from besitos.conversion_events where valid_to is not null") == [(1,)]
    [life] = json.loads(explain(house, "20", "--json").out)["vendors"]
    window = f"conversions {FROM} .. {LAST}"
    assert [(one["page"], one["window"]) for one in life["statements"]] == [
        (before[20, False], window),
        (now[20, False], window),
    ]
    assert f", page {now[20, False]} of {window}, hash " in explain(house, "20").out
    days = ("--from", "2024-12-01", "--to", "2024-12-11")
    compared = command("verify", "besitos", *days, cwd=house.folder, environment=house.environment)
    assert compared.code == 0, compared.out + compared.err


def test_a_walk_of_reversals_is_told_apart(make_ledger: MakeLedger) -> None:
    """Where one load made both walks, as in a script of one's own: an original can have come in one of them alone."""
    house = make_ledger()
    house.vendor = at_once()
    house.night([row(1), reversal(1, payout=4)])
    [life] = json.loads(explain(house, "1", "--json").out)["vendors"]
    told = {one["event_key"].split(":")[1]: one for one in life["statements"]}
    assert told["original"]["window"].startswith("conversions 2024-")
    assert told["reversal"]["window"].startswith("reversals 2024-")
    assert len(told["original"]["windows"]) == 2
    assert [one["page"] for one in told.values()] == [1, 1]


def test_a_page_by_offset_has_a_number_too(make_ledger: MakeLedger) -> None:
    """The tracker's log: the first answer is page 1."""
    house = make_ledger("keitaro", keitaro_page_size="6", keitaro_start_date="2026-01-01")
    house.sandbox.keitaro.rows = [conversion(number) for number in range(1, 21)]
    house.run("2026-01-01", "2026-01-10")
    # Questions about the log's columns are of twenty rows; those of its pages follow, the last walk's last.
    asked = [json.loads(one.body) for one in house.asked("/conversions/log")]
    offsets = [one["offset"] for one in asked if one["limit"] == 6]
    names, pages = sorted(f"c{number}" for number in range(1, 21)), dict[str, int]()
    for number, offset in enumerate(offsets[-offsets[::-1].index(0) - 1 :], 1):
        for name in names[offset : offset + 6]:
            pages.setdefault(name, number)
    assert dict(house.query("select conversion_id, _page from keitaro.conversion_events")) == pages
    assert len(set(pages.values())) == 4
    [life] = json.loads(explain(house, "c9", "--json").out)["vendors"]
    assert [(one["page"], one["window"][:12]) for one in life["statements"]] == [(4, "conversions ")]


def test_a_warehouse_of_an_earlier_version_is_told_as_it_is(make_ledger: MakeLedger) -> None:
    """It has no page of what it holds; its next load adds the column, restates nothing, and notes that of news."""
    house = make_ledger()
    house.night(sales(range(1, 4)))
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("alter table besitos.conversion_events drop column _page")
        connection.execute(
            "update besitos._dlt_version set version_hash = 'earlier' || version, schema = json_merge_patch(schema, "
            """'{"tables": {"conversion_events": {"columns": {"_page": null}}}}')"""
        )
    before = house.query(
        "select event_key, statement_hash, valid_from from besitos.conversion_events order by 1"
    )
    [life] = json.loads(explain(house, "1", "--json").out)["vendors"]
    [statement] = life["statements"]
    window = f"conversions {FROM} .. {LAST}"
    assert (statement["page"], statement["window"], statement["windows"]) == (None, None, [window])
    assert f" of {window}, hash " in explain(house, "1").out
    house.night(sales(range(1, 5)))
    stands = (
        "select event_key, statement_hash, valid_from from besitos.conversion_events where valid_to is null"
    )
    assert house.query(f"{stands} and transaction_id < 4 order by 1") == before
    assert list(held(house).values()) == [None, None, None, 1]


@pytest.mark.more
@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_the_same_on_a_server(make_ledger: MakeLedger, database: Cluster) -> None:
    """Read, kept and told as in a file."""
    house = make_ledger(besitos_page_size="7")
    night_on_a_server(house, database, sales(range(1, 24)))
    before = served(house, walk_over_all(house.asked(FEED)))
    night_on_a_server(house, database, sales(range(1, 31))[::-1])
    now = served(house, walk_over_all(house.asked(FEED)))
    assert {(number, is_reversal): page for number, is_reversal, page in database.ask(HELD)} == now | before
    credentials = {"DESTINATION__POSTGRES__CREDENTIALS": database.url}
    told = explain(house, "23", "--json", "--destination", "postgres", **credentials)
    [life] = json.loads(told.out)["vendors"]
    assert [one["page"] for one in life["statements"]] == [before[23, False]]
