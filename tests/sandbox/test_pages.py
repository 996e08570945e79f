"""Pages, links, filters and scripted rows, as the document and its paginator have them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from conversync.sandbox import Sandbox, Variants, World
from conversync.sandbox.besitos import Scripted
from tests.sandbox.asking import CONVERSIONS, ask, scan


def numbered(count: int) -> list[dict[str, Any]]:
    """Rows that say nothing but their number."""
    return [{"transaction_id": number} for number in range(1, count + 1)]


def scripted(sandbox: Sandbox, count: int) -> Sandbox:
    sandbox.besitos.rows = numbered(count)
    return sandbox


def ids(sandbox: Sandbox, query: str) -> list[int]:
    """The transaction ids of one page."""
    return [row["transaction_id"] for row in ask(sandbox, f"{CONVERSIONS}?{query}").json()["data"]]


def test_the_second_of_three_pages() -> None:
    """Links and meta of a middle page; the links forget every filter, as in the sample."""
    with scripted(Sandbox(), 5) as sandbox:
        document = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&per_page=2&page=2").json()
    path = f"{sandbox.url}{CONVERSIONS}"
    assert list(document) == ["data", "links", "meta"]
    assert [row["transaction_id"] for row in document["data"]] == [3, 4]
    assert document["links"] == {
        "first": f"{path}?page=1",
        "last": f"{path}?page=3",
        "prev": f"{path}?page=1",
        "next": f"{path}?page=3",
    }
    labels = [(link["label"], link["active"]) for link in document["meta"].pop("links")]
    assert labels == [("« Previous", False), ("1", False), ("2", True), ("3", False), ("Next »", False)]
    expected = {
        "current_page": 2,
        "from": 3,
        "last_page": 3,
        "path": path,
        "per_page": 2,
        "to": 4,
        "total": 5,
    }
    assert document["meta"] == expected


def test_many_pages_are_linked_with_gaps() -> None:
    """Both ends and the neighbourhood of the page, as Laravel draws it."""
    with scripted(Sandbox(), 30) as sandbox:
        links = ask(sandbox, f"{CONVERSIONS}?per_page=1&page=15").json()["meta"]["links"]
    labels = " ".join(link["label"] for link in links[1:-1])
    assert labels == "1 2 ... 12 13 14 15 16 17 18 ... 29 30"


def test_past_the_end_and_without_rows() -> None:
    """No rows, from and to null, no next page; an empty feed still has a page 1."""
    with scripted(Sandbox(), 3) as sandbox:
        beyond = ask(sandbox, f"{CONVERSIONS}?page=9").json()
        sandbox.besitos.rows = []
        empty = ask(sandbox, CONVERSIONS).json()
    assert (beyond["data"], beyond["meta"]["from"], beyond["meta"]["to"]) == ([], None, None)
    assert (beyond["links"]["next"], beyond["meta"]["current_page"], beyond["meta"]["total"]) == (None, 9, 3)
    assert (empty["data"], empty["meta"]["last_page"], empty["meta"]["total"]) == ([], 1, 0)


def test_variants_of_links_and_pages() -> None:
    """Links that keep filters; the number 1 for one page; a cap; a parameter not heard; a repeated end."""
    with scripted(Sandbox(variants=Variants(links="full", last_is_one=True)), 5) as sandbox:
        two = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&per_page=3").json()["links"]
        assert two["next"] == f"{sandbox.url}{CONVERSIONS}?from_date=2026-01-01&per_page=3&page=2"
        assert two["last"] == two["next"]
        assert ask(sandbox, CONVERSIONS).json()["links"]["last"] == 1
        sandbox.besitos.variants = Variants(page_cap=2)
        assert ask(sandbox, f"{CONVERSIONS}?per_page=4").json()["meta"]["per_page"] == 2
        sandbox.besitos.variants = Variants(ignores=frozenset({"page"}))
        assert ids(sandbox, "per_page=2&page=2") == [1, 2]
        sandbox.besitos.variants = Variants(past_end="last")
        assert ids(sandbox, "per_page=2&page=8") == [5]


def test_orders() -> None:
    """Shuffled keeps every row on its page; random may move it to another, at every request anew."""
    with scripted(Sandbox(variants=Variants(order="shuffled")), 40) as sandbox:
        shuffled = ids(sandbox, "per_page=20&page=2")
        sandbox.besitos.variants = Variants(order="random")
        first, second = ids(sandbox, "per_page=20"), ids(sandbox, "per_page=20")
    assert sorted(shuffled) == list(range(21, 41)) != shuffled
    assert set(first) != set(second)


def test_newest_first() -> None:
    """The world's rows by date_time, from the last to the first."""
    with Sandbox(World(days=5), variants=Variants(order="newest")) as sandbox:
        stamps = [row["date_time"] for row in scan(sandbox, from_date="2025-12-01")]
    assert stamps == sorted(stamps, reverse=True)


def test_repeats() -> None:
    """Counted repeats stand in total; uncounted ones come on top of it, at page ends."""
    with scripted(Sandbox(variants=Variants(repeats="counted")), 8) as sandbox:
        counted = scan(sandbox, per_page=3)
        sandbox.besitos.variants = Variants(repeats="uncounted")
        uncounted = scan(sandbox, per_page=3)
        total = ask(sandbox, CONVERSIONS).json()["meta"]["total"]
    assert Counter(row["transaction_id"] for row in counted) == Counter([*range(1, 9), 1, 8])
    assert [row["transaction_id"] for row in uncounted] == [1, 2, 3, 3, 4, 5, 6, 6, 7, 8]
    assert total == 8


def test_rows_arrive_between_pages() -> None:
    """A row inserted at the top shifts the others: the last row of page 1 comes again on page 2."""
    with scripted(Sandbox(variants=Variants(arrivals_every=2)), 4) as sandbox:
        sandbox.besitos.arriving = [{"transaction_id": 99}]
        assert ids(sandbox, "per_page=2&page=1") == [1, 2]
        assert ids(sandbox, "per_page=2&page=2") == [2, 3]
        assert ids(sandbox, "per_page=2&page=3") == [4]


def test_the_clock_moves_between_pages() -> None:
    """Without rows to arrive, every n-th request finds the world later, and fuller."""
    world = World(days=30)
    world.now = world.day(10)
    with Sandbox(world, variants=Variants(arrivals_every=2, arrivals_hours=24)) as sandbox:
        totals = [ask(sandbox, f"{CONVERSIONS}?page={page}").json()["meta"]["total"] for page in (1, 2)]
    assert world.now == world.day(11)
    assert totals[0] != totals[1]


def test_scripted_text_is_served_verbatim() -> None:
    """Odd spacing, duplicate keys, NaN, bad UTF-8: whatever a test wrote."""
    rows: list[Scripted] = [
        '{"a" : 1.10,"a":NaN }',
        b'{"b":"\xff"}',
        {"note": "\ud800", "payout": 1e400},
        "[1",
        "",
    ]
    with Sandbox() as sandbox:
        sandbox.besitos.rows = rows
        reply = ask(sandbox, CONVERSIONS)
    texts = [b'{"a" : 1.10,"a":NaN }', b'{"b":"\xff"}', rb'{"note":"\ud800","payout":Infinity}', b"[1", b""]
    assert reply.body.startswith(b'{"data":[' + b",".join(texts) + b'],"links":')


def test_scripted_rows_are_filtered_by_their_date() -> None:
    """A row without a readable date stands in every window."""
    day = "2026-01-05 23:59:59"
    with Sandbox() as sandbox:
        sandbox.besitos.rows = [
            {"transaction_id": 1, "date_time": day},
            json.dumps({"transaction_id": 2, "date_time": day}),
            {"transaction_id": 3, "date_time": "0000-00-00 00:00:00"},
            {"transaction_id": 4, "date_time": day, "reverse": 1},
        ]
        assert ids(sandbox, "from_date=2026-01-05&to_date=2026-01-05") == [1, 2, 3, 4]
        assert ids(sandbox, "from_date=2026-01-06&to_date=2026-01-07") == [3]
        assert ids(sandbox, "from_date=2026-01-01&to_date=2026-01-07&is_reverse=true") == [4]


def test_trailing_comma() -> None:
    """As in the sample, behind the last row; not where there is no row."""
    with Sandbox(variants=Variants(trailing_comma=True)) as sandbox:
        sandbox.besitos.rows = ["{}"]
        assert ask(sandbox, CONVERSIONS).text.startswith('{"data":[{},],"links"')
        sandbox.besitos.rows = []
        assert ask(sandbox, CONVERSIONS).text.startswith('{"data":[],"links"')


@pytest.mark.parametrize(
    "header", ["", "bearer sandbox-token", "Bearer wrong", "sandbox-token", "BEARER sandbox-token"]
)
def test_only_the_exact_header_is_let_in(header: str) -> None:
    """401 in JSON to everything but `Bearer`, capital B, and the token."""
    with scripted(Sandbox(), 1) as sandbox:
        reply = ask(sandbox, CONVERSIONS, Authorization=header)
        assert ask(sandbox, CONVERSIONS).status == 200
    assert (reply.status, reply.json()) == (401, {"message": "Unauthenticated."})
    assert reply.headers["Content-Type"] == "application/json"


def test_wrong_requests() -> None:
    """An unknown path is 404, a date that is none 422."""
    with Sandbox() as sandbox:
        wrong = (
            f"{CONVERSIONS}?from_date=01.02.2026",
            f"{CONVERSIONS}?to_date=20260102",
            "/data/partner/offers/x",
            "/",
        )
        assert [ask(sandbox, target).status for target in wrong] == [422, 422, 404, 404]


def test_requests_are_kept_as_they_came() -> None:
    """Path, query, headers and the world's clock of each, in order."""
    with Sandbox() as sandbox:
        ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&user_id=a%2Bb")
        ask(sandbox, "/elsewhere")
    first, second = sandbox.requests
    assert (first.method, first.path, first.status, second.status) == ("GET", CONVERSIONS, 200, 404)
    assert first.query == {"from_date": "2026-01-01", "user_id": "a+b"}
    assert first.headers["authorization"] == f"Bearer {sandbox.token}"
    assert first.clock == sandbox.world.now
    assert sandbox.asked("conversions") == [first]


def test_the_catalogue_loses_what_ended() -> None:
    """Games in one list, deals in pages; an offer leaves when the clock reaches its end, after a pause."""
    world = World()
    ended = next(offer for offer in world.offers if offer.kind == "offer" and offer.ends_at)
    assert ended.ends_at is not None
    with Sandbox(world) as sandbox:

        def games() -> Any:
            return ask(sandbox, f"/data/partner/offers/{sandbox.besitos.partner_id}").json()["data"]

        def deals(query: str = "") -> Any:
            return ask(sandbox, f"/data/partner/deals/{sandbox.besitos.partner_id}?{query}").json()

        world.now = world.day(0)
        assert {game["id"] for game in games()} == {one.id for one in world.offers if one.kind == "offer"}
        assert games()[0].keys() == {"id", "name", "budget_status", "cpi", "goals"}
        world.now = ended.ends_at - timedelta(hours=1)
        assert [game["budget_status"] for game in games() if game["id"] == ended.id] == ["paused"]
        world.now = ended.ends_at
        assert [game for game in games() if game["id"] == ended.id] == []
        world.now = world.day(0)
        assert len(deals("per_page=3")["data"]) == 3
        assert deals("per_page=3&page=2")["meta"]["total"] == 4
        one = deals()["data"][0]
        assert deals(f"offer_id={one['offer_id']}")["data"] == [one]
        assert one.keys() == {"offer_id", "name", "cpa"}


def test_a_row_leaves_between_two_pages() -> None:
    """For good, and no more of them than there should be; the pages behind it move up."""
    with scripted(Sandbox(variants=Variants(departures=1)), 7) as sandbox:
        seen = [ids(sandbox, f"per_page=2&page={page}") for page in (1, 2, 3)]
        assert seen == [[1, 2], [4, 5], [6, 7]]
        assert ids(sandbox, "") == [2, 3, 4, 5, 6, 7]
        assert ask(sandbox, CONVERSIONS).json()["meta"]["total"] == 6


def test_a_spoilt_row_is_mended_on_command() -> None:
    """Its payout is no number while the variant names it, whatever else it says."""
    with scripted(Sandbox(variants=Variants(unreadable=2)), 3) as sandbox:
        assert [row.get("payout") for row in ask(sandbox, CONVERSIONS).json()["data"]] == [None, "n/a", None]
        sandbox.besitos.variants = Variants()
        assert [row.get("payout") for row in ask(sandbox, CONVERSIONS).json()["data"]] == [None, None, None]
