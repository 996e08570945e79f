"""Servers whose listing is not what it seems: ties, cached totals, limits, flags and pages misunderstood."""

from __future__ import annotations

from typing import Any

import pytest

from conversync.sandbox import Sandbox, Variants, World
from conversync.sandbox.besitos import parse_variants
from tests.sandbox.asking import CONVERSIONS, Reply, ask

DAY = "2026-01-05"


def page(sandbox: Sandbox, query: str) -> Any:
    """One page of the whole of January, as JSON."""
    return january(sandbox, query).json()


def january(sandbox: Sandbox, query: str) -> Reply:
    return ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&to_date=2026-01-31&{query}")


def ids(sandbox: Sandbox, query: str) -> list[int]:
    """The transaction ids of one page."""
    return [row["transaction_id"] for row in page(sandbox, query)["data"]]


def serving(sandbox: Sandbox, *seconds: int) -> Sandbox:
    """Rows 1, 2, 3, ... of one day, at these seconds."""
    sandbox.besitos.rows = [
        {"transaction_id": number, "date_time": f"{DAY} 10:00:{second:02}", "payout": number, "reward": 0}
        for number, second in enumerate(seconds, 1)
    ]
    return sandbox


def under(*pairs: str) -> Sandbox:
    """A sandbox whose variants are given as the command line has them."""
    return Sandbox(variants=parse_variants(pairs))


def numbered(sandbox: Sandbox, count: int) -> Sandbox:
    """Rows 1 to `count`, a second apart."""
    return serving(sandbox, *range(count))


def test_b01_ties_change_places_between_pages() -> None:
    """Rows 2 and 3 share a second: 2 comes on both pages and 3 on none, at every walk; the total is right."""
    with serving(under("ties=page"), 0, 1, 1, 2) as sandbox:
        scans = [[ids(sandbox, f"per_page=2&page={number}") for number in (1, 2)] for _ in range(3)]
        whole, total = ids(sandbox, "per_page=4"), page(sandbox, "per_page=2")["meta"]["total"]
    assert scans == [[[1, 2], [2, 4]]] * 3
    assert (whole, total) == ([1, 2, 3, 4], 4)


def test_b08_ties_in_another_order_at_each_request() -> None:
    """What a second holds is mixed anew each time; between seconds the order stands."""
    with serving(under("ties=request"), 9, *[3] * 8, 1) as sandbox:
        seen = [ids(sandbox, "per_page=10") for _ in range(4)]
    assert {(one[0], one[-1]) for one in seen} == {(10, 1)}
    assert [sorted(one) for one in seen] == [list(range(1, 11))] * 4
    assert len({tuple(one) for one in seen}) > 1


def test_ties_of_the_story_are_served_in_order_all_the_same() -> None:
    """Newest first, with ties changing places, no second comes before a later one."""
    world = World(days=10)
    with Sandbox(world, variants=Variants(order="newest", ties="page")) as sandbox:
        seconds = [row["date_time"] for row in page(sandbox, "per_page=100&page=2")["data"]]
    assert seconds == sorted(seconds, reverse=True)
    assert len(seconds) == 100


@pytest.mark.parametrize("goes_on", [False, True])
def test_b04_a_total_that_is_capped(goes_on: bool) -> None:
    """total and last_page say 4 of 9 rows, every page is full, and the rows beyond come when they are asked for."""
    with numbered(under("total_cap=4", f"next_beyond={str(goes_on).lower()}"), 9) as sandbox:
        pages = [page(sandbox, f"per_page=2&page={number}") for number in range(1, 6)]
    assert [[row["transaction_id"] for row in one["data"]] for one in pages] == [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
        [9],
    ]
    assert {(one["meta"]["total"], one["meta"]["last_page"]) for one in pages} == {(4, 2)}
    named = [one["links"]["next"] is not None for one in pages]
    assert named == [True, goes_on, goes_on, goes_on, False]


def test_b04_a_total_from_a_cache() -> None:
    """It lags behind what there is, or what there was; the rows are right."""
    with numbered(under("total_behind=3"), 9) as sandbox:
        behind = page(sandbox, "per_page=5")
        sandbox.besitos.variants = parse_variants(["total_behind=-3"])
        ahead = page(sandbox, "per_page=5&page=2")
    assert (behind["meta"]["total"], len(behind["data"])) == (6, 5)
    assert (ahead["meta"]["total"], ahead["meta"]["last_page"], len(ahead["data"])) == (12, 3, 4)


def test_h11_a_question_that_is_never_answered_with_data() -> None:
    """Only what meets all that is named is answered so: this day, this page, a larger page, more days."""
    where = under(
        "spoilt=page", "spoilt_day=2026-01-02", "spoilt_page=2", "spoilt_per_page=2", "spoilt_range=1"
    )
    with numbered(where, 9) as sandbox:
        wrong = january(sandbox, "per_page=3&page=2")
        right = [january(sandbox, query).status for query in ("per_page=3&page=1", "per_page=2&page=2")]
        sandbox.besitos.variants = parse_variants(["spoilt=unknown"])
        unknown = january(sandbox, "per_page=3")
    assert (wrong.status, wrong.body[:9]) == (200, b"<!DOCTYPE")
    assert (right, unknown.status) == ([200, 200], 404)


def test_p05_a_page_number_that_is_clamped() -> None:
    """A page beyond the last one that is given is that one, and says so; a feed may tell no number at all."""
    with numbered(under("last_page=2"), 9) as sandbox:
        clamped = page(sandbox, "per_page=3&page=3")
        sandbox.besitos.variants = parse_variants(["numbers=untold"])
        untold = page(sandbox, "per_page=3&page=3")
    assert ([row["transaction_id"] for row in clamped["data"]], clamped["meta"]["current_page"]) == (
        [4, 5, 6],
        2,
    )
    assert (list(untold), len(untold["data"])) == (["data"], 3)


def told(reply: Reply) -> tuple[int, list[str]]:
    """Status, and the parameters that a refusal names; each has a text, and the first one is the message."""
    document = reply.json()
    texts = [text for texts in document["errors"].values() for text in texts]
    assert document["message"] == texts[0]
    return reply.status, list(document["errors"])


def test_b05_limits_that_are_refused() -> None:
    """An offset, a page size and a range beyond the limit are a 422 with the parameter in `errors`; up to it, 200."""
    limits = under("offset_limit=6", "per_page_limit=3", "range_limit=31")
    with numbered(limits, 9) as sandbox:
        assert ids(sandbox, "per_page=3&page=2") == [4, 5, 6]
        assert told(january(sandbox, "per_page=3&page=3")) == (422, ["page"])
        assert told(january(sandbox, "per_page=4")) == (422, ["per_page"])
        over = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&to_date=2026-02-01&per_page=3")
    assert told(over) == (422, ["to_date"])
    assert len(sandbox.besitos.reads) == 0


@pytest.mark.parametrize(("over", "expected"), [("first", [1, 2]), ("last", [3, 4])])
def test_b06_a_range_clipped_without_a_word(over: str, expected: list[int]) -> None:
    """Of four days asked, the first or the last two are answered; the oracle's reads know which."""
    with under("range_limit=2", f"range_over={over}") as sandbox:
        sandbox.besitos.rows = [
            {"transaction_id": day, "date_time": f"2026-01-{day:02} 12:00:00"} for day in range(1, 5)
        ]
        reply = ask(sandbox, f"{CONVERSIONS}?from_date=2026-01-01&to_date=2026-01-04").json()
        read = sandbox.besitos.reads[-1]
    assert (
        [row["transaction_id"] for row in reply["data"]] == expected == [read.from_date.day, read.to_date.day]
    )
    assert reply["meta"]["total"] == 2


@pytest.mark.parametrize(
    ("reading", "answers"),
    [
        ("cast", {None: "both", "true": "reversal", "1": "reversal", "0": "original", "yes": "reversal"}),
        ("one", {None: "both", "true": "original", "1": "reversal", "0": "original", "false": "original"}),
        ("rule", {None: "both", "true": 422, "1": "reversal", "0": "original", "false": 422}),
        ("refused", {None: "both", "true": 422, "1": 422, "0": 422}),
        ("never", {None: "both", "true": "original", "1": "original"}),
        ("nothing", {None: "both", "true": "none", "1": "none"}),
    ],
)
def test_b07_readings_of_is_reverse(reading: str, answers: dict[str | None, object]) -> None:
    """A cast, a comparison with 1, a rule that takes 1 and 0 alone, and no parameter at all."""
    rows = [
        {"transaction_id": 1, "date_time": f"{DAY} 10:00:00"},
        {"transaction_id": 1, "date_time": f"{DAY} 11:00:00", "reverse": 1},
    ]
    kinds = {(True, True): "both", (True, False): "original", (False, True): "reversal"}
    kinds[(False, False)] = "none"
    with under(f"is_reverse={reading}") as sandbox:
        sandbox.besitos.rows = rows
        for sent, expected in answers.items():
            reply = january(sandbox, "" if sent is None else f"is_reverse={sent}")
            if reply.status == 422:
                assert told(reply) == (expected, ["is_reverse"])
                continue
            came = ["reverse" in row for row in reply.json()["data"]]
            assert kinds[False in came, True in came] == expected, sent


def test_b07_is_reverse_not_heard() -> None:
    """Whatever is sent, both kinds come."""
    with under("ignores=is_reverse", "is_reverse=refused") as sandbox:
        sandbox.besitos.rows = [{"transaction_id": 1}, {"transaction_id": 1, "reverse": 1}]
        assert len(page(sandbox, "is_reverse=1")["data"]) == 2


@pytest.mark.parametrize(
    ("pages", "second", "third"),
    [
        ("right", [4, 5, 6], [7, 8]),
        ("echoed", [1, 2, 3], [1, 2, 3]),
        ("second_repeats", [1, 2, 3], [7, 8]),
        ("boundary", [3, 5, 6], [7, 8]),
    ],
)
def test_b02_pages_that_repeat(pages: str, second: list[int], third: list[int]) -> None:
    """The rows of another page under the number that was asked for, and a total that is right."""
    with numbered(under(f"pages={pages}"), 8) as sandbox:
        documents = [page(sandbox, f"per_page=3&page={number}") for number in (1, 2, 3)]
    assert [[row["transaction_id"] for row in one["data"]] for one in documents] == [[1, 2, 3], second, third]
    assert [(one["meta"]["current_page"], one["meta"]["total"]) for one in documents] == [
        (1, 8),
        (2, 8),
        (3, 8),
    ]


def test_a_wrong_date_is_refused_by_name() -> None:
    """In the framework's form, as every refusal of a parameter."""
    with Sandbox() as sandbox:
        replies = [ask(sandbox, f"{CONVERSIONS}?{name}=01.02.2026") for name in ("from_date", "to_date")]
    assert [told(reply) for reply in replies] == [(422, ["from_date"]), (422, ["to_date"])]
