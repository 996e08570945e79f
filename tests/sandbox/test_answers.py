"""The forms of Besitos' answers that a framework or its upgrade brings, and its ways to say no."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.besitos import Statement, parse_variants
from tests.sandbox.asking import CONVERSIONS, ask, scan

WINDOW = {"from_date": "2026-01-02", "to_date": "2026-01-09"}


def under(*pairs: str) -> Sandbox:
    """A story of ten days, ended, under these variants."""
    world = World(days=10)
    world.now = world.day(40)
    return Sandbox(world, variants=parse_variants(pairs))


@pytest.mark.parametrize(("dates", "end"), [("zulu", ".000000Z"), ("offset", "+00:00")])
def test_f01_dates_with_an_offset(dates: str, end: str) -> None:
    """The same rows of the same days, each at the same instant; the oracle's statements are those of the rows."""
    with under() as sandbox:
        plain = [Statement.of_row(row) for row in scan(sandbox, **WINDOW)]
        sandbox.besitos.variants = parse_variants([f"dates={dates}"])
        rows = scan(sandbox, **WINDOW)
        read = sandbox.besitos.reads[-1]
        standing = sandbox.besitos.oracle.standing([read])
    statements = [Statement.of_row(row) for row in rows]
    assert {row["date_time"][10:11] + row["date_time"][19:] for row in rows} == {"T" + end}
    assert [one.occurred_at for one in statements] == [one.occurred_at for one in plain]
    assert [one.occurred_on for one in statements] == [one.occurred_on for one in plain]
    assert {one.event_key: one for one in statements} == standing


def test_f01_a_scripted_row_with_an_offset_stands_on_its_day_in_the_vendors_zone() -> None:
    """03:00 UTC is the evening before at -05:00."""
    with Sandbox() as sandbox:
        sandbox.besitos.rows = [{"transaction_id": 1, "date_time": "2026-01-05T03:00:00.000000Z"}]
        counts = [
            len(ask(sandbox, f"{CONVERSIONS}?from_date={day}&to_date={day}").json()["data"])
            for day in ("2026-01-04", "2026-01-05")
        ]
    assert counts == [1, 0]


def test_f04_relative_links() -> None:
    """Of no host and no path but the root's, filters forgotten."""
    with under("links=relative") as sandbox:
        document = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-02&per_page=9").json()
    assert (document["links"]["next"], document["meta"]["path"]) == ("/?page=2", "/")


def test_f05_data_as_an_object() -> None:
    """Digit keys with gaps, the same rows in the same order; an empty page is a list; a fault may change it."""
    with under() as sandbox:
        plain = scan(sandbox, per_page=7, **WINDOW)
        sandbox.besitos.variants = parse_variants(["data=object"])
        target = f"{CONVERSIONS}?from_date=2026-01-02&to_date=2026-01-09&per_page=7"
        first, empty = ask(sandbox, target).json()["data"], ask(sandbox, f"{target}&page=999").json()["data"]

        def renamed(document: dict[str, Any], _: object) -> dict[str, Any]:
            return document | {"data": {"0": document["data"]["3"]}}

        fault = sandbox.faults.add(Fault(mutate=renamed))
        changed = ask(sandbox, target).json()
    assert list(first) == ["1", "3", "4", "5", "6", "7", "8"]
    assert (list(first.values()), empty) == (plain[:7], [])
    assert (changed["data"], fault.delivered) == ({"0": plain[1]}, 1)


def test_f07_a_login_page_for_a_token_that_is_not_taken() -> None:
    """A 302 to this host's /login; the right token is let in."""
    with under("unauthenticated=login") as sandbox:
        refused = ask(sandbox, CONVERSIONS, Authorization="Bearer old")
        assert ask(sandbox, CONVERSIONS).status == 200
    assert (refused.status, refused.headers["Location"]) == (302, f"{sandbox.url}/login")


def test_b09_the_throttle() -> None:
    """Three a second: what is left on each answer, a 429 that says when to come again, and then a new window."""
    with under("throttle=3", "throttle_seconds=1") as sandbox:
        replies = [ask(sandbox, f"{CONVERSIONS}?per_page=1&page={number}") for number in range(1, 5)]
        time.sleep(1.05)
        again = ask(sandbox, CONVERSIONS)
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
    assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"3"}
    assert replies[3].headers["Retry-After"] == "1"
    assert abs(int(replies[3].headers["X-RateLimit-Reset"]) - time.time()) < 5
    assert "Retry-After" not in replies[2].headers
    assert (again.status, again.headers["X-RateLimit-Remaining"]) == (200, "2")


@pytest.mark.parametrize(("envelope", "name"), [("error", "error"), ("status", "status")])
def test_b10_an_envelope_that_speaks_of_an_error(envelope: str, name: str) -> None:
    """200, no rows, a total of 0, and a word of what is wrong."""
    with under(f"envelope={envelope}") as sandbox:
        reply = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-02")
        assert sandbox.besitos.reads == []
    document = reply.json()
    assert reply.status == 200
    assert document.pop(name) in (401, "Token expired")
    assert document == {"data": [], "meta": {"total": 0}}


def test_f13_currencies_that_the_document_does_not_know() -> None:
    """Transactions take them in turn, a reversal its original's; some tell none."""
    with under("currencies=EUR,JPY,none") as sandbox:
        rows = scan(sandbox, **WINDOW)
        books = sandbox.besitos.oracle.currencies()
    told: dict[int, set[str | None]] = {}
    for row in rows:
        told.setdefault(row["transaction_id"], set()).add(row.get("currency"))
        assert books[row["transaction_id"]] == row.get("currency")
    assert {len(of_one) for of_one in told.values()} == {1}
    assert {currency for of_one in told.values() for currency in of_one} == {"EUR", "JPY", None}


def test_f01_daylight_saving_does_not_move_an_instant() -> None:
    """With New York as the zone, the text in UTC is the instant itself."""
    with under("dates=zulu", "zone=America/New_York") as sandbox:
        world = sandbox.world
        row = scan(sandbox, **WINDOW)[0]
    original = next(one for one in world.conversions if one.transaction_id == row["transaction_id"])
    moment = original.reversal.occurred_at if "reverse" in row and original.reversal else original.occurred_at
    assert datetime.fromisoformat(row["date_time"]) == moment.replace(microsecond=0)
