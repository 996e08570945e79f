"""How reversals are asked for: in the word that is understood; else all conversions are read, and it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from conversync.sandbox import Fault, Variants, World
from conversync.vendors import LoadRequest, Step, Vendor
from sources.besitos import BesitosSettings, besitos
from tests.besitos.changes import from_the_reversals_on
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row
from tests.besitos.test_listing import many, payouts
from tests.besitos.test_mended import at
from tests.besitos.test_nights import january
from tests.support import Workspace, at_once, vendor_at

# In each of these no word works, and what is asked without the filter is answered well; and what is said of it.
WAYS: dict[str, tuple[dict[str, str], str]] = {
    "refused": ({"is_reverse": "refused"}, "422: is_reverse: The is reverse field must be true or false"),
    "no-reversals": ({"is_reverse": "never"}, "is_reverse=true with conversions that are no reversals"),
    "empty-list": ({"is_reverse": "nothing"}, "an empty list, though its conversions of these days hold"),
    "forbidden": ({"spoilt": "forbidden"}, "403: Forbidden"),
    "bad": ({"spoilt": "bad"}, "400: Bad Request"),
    "failed": ({"spoilt": "failed"}, "(500)"),
    "error": ({"spoilt": "error"}, "the answer is no data"),
    "unknown": ({"spoilt": "unknown"}, "404: Not Found"),
    "page": ({"spoilt": "page"}, "the answer is no data"),
    "cut": ({"spoilt": "cut"}, "the answer is no data"),
    "form": ({"spoilt": "form"}, "the answer is no data"),
    "empty": ({"spoilt": "empty"}, "the answer is no data"),
}


@pytest.fixture
def serving(make_house: MakeHouse) -> Callable[..., Workspace]:
    """`serving(rows, is_reverse="one")`: both streams in one commit; what fails is asked for once."""

    def make(rows: list[Any], **variants: Any) -> Workspace:
        house = make_house(variants=alone(**variants), http_budget="0")
        house.vendor = at_once()
        house.sandbox.besitos.rows = rows
        return house

    return make


def alone(**variants: Any) -> Variants:
    """What is spoilt is each question for reversals alone, in any word, unless it is said otherwise."""
    return Variants(**{"spoilt_flag": "filtered", **variants})


def words(house: Workspace, since: int) -> list[str | None]:
    """The words for reversals in the requests since that one; None for a question without the filter."""
    return [one.query.get("is_reverse") for one in house.sandbox.requests[since:]]


@pytest.mark.more
@pytest.mark.quick(3)
@pytest.mark.parametrize("way", WAYS)
def test_b07_where_no_word_works_all_conversions_are_read(
    serving: Callable[..., Workspace], way: str
) -> None:
    """Exit 0 with every reversal, told once with the vendor's reason; the next night asks no word in vain."""
    variants, why = WAYS[way]
    house = serving([*many(4), reversal(3, payout=3)], **variants)
    report = house.load(FROM, TO)
    assert payouts(house) == 7
    [note] = [note for note in report.notes if "reversals cannot be asked for alone" in note]
    assert "all conversions of 2024-12-01 .. 2024-12-20 are read instead" in note
    assert why in note
    assert len(house.sandbox.requests) < 80
    asked = len(house.sandbox.requests)
    assert not house.load(FROM, TO).notes
    assert set(words(house, asked)) == {None}
    assert house.query("select count(*) from besitos.withdrawn_events") == [(0,)]


@pytest.mark.more
def test_b07_words_are_tried_anew_after_a_week(make_house: MakeHouse) -> None:
    """Reversals of old conversions come all the same; a vendor that mends is asked as before, a week later."""
    house = make_house(
        World(start=date(2026, 1, 1), days=1), alone(spoilt="failed"), besitos_start_date=january(0)
    )
    house.settings |= {"HTTP_BUDGET": "0", "BESITOS_LOOKBACK_DAYS": "1"}
    house.vendor = dataclasses.replace(vendor_at(house.sandbox), steps=_by_its_clock)
    taken_back = [reversal(number, payout=number, date_time=f"{january(2)} 13:00:00") for number in (1, 2)]
    rows = [row(n, payout=Decimal(n), date_time=f"{january(1)} 12:00:00") for n in range(1, 11)]
    house.sandbox.besitos.rows = [*rows, taken_back[0]]
    at(house, 10)
    house.load()
    house.sandbox.besitos.rows, house.sandbox.besitos.variants = [*rows, *taken_back], alone()
    for day, expected in ((12, [None]), (20, [None, "true"])):
        asked = len(house.sandbox.requests)
        at(house, day)
        house.load()
        assert payouts(house) == sum(range(1, 11)) - 3
        assert list(dict.fromkeys(words(house, asked))) == expected


def test_b07_where_reversals_come_in_no_way_nothing_passes(serving: Callable[..., Workspace]) -> None:
    """None of a hundred conversions is one, and none can be asked for: exit 6, said to be of reversals; it heals."""
    house = serving([*many(120), reversal(3, payout=3)], is_reverse="refused", omitted="originals")
    report = house.run(FROM, TO)
    assert report.exit_code == 6
    said = str(report.error)
    assert "Reversals of 2024-12-01 .. 2024-12-20 are not to be had" in said
    assert "must be true or false" in said
    house.sandbox.besitos.variants = Variants()
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 121)) - 3


def test_b07_reversals_that_came_in_a_word_are_not_taken_for_withdrawn(
    serving: Callable[..., Workspace],
) -> None:
    """The word stops working, and without it there are originals alone: exit 6, however few they are."""
    house = serving([*many(4), reversal(3, payout=3)], omitted="originals")
    house.load(FROM, TO)
    house.sandbox.besitos.variants = alone(is_reverse="refused", omitted="originals")
    assert house.run(FROM, TO).exit_code == 6
    assert house.query("select count(*) from besitos.withdrawn_events") == [(0,)]


@pytest.mark.more
def test_b07_a_filter_that_is_not_heeded_where_nothing_was_reversed_is_told(
    serving: Callable[..., Workspace],
) -> None:
    """A few conversions, none of them reversed, whatever is asked: they may be all; exit 0."""
    house = serving(many(4), ignores=frozenset({"is_reverse"}))
    [note] = house.load(FROM, TO).notes
    assert "conversions that are no reversals" in note
    house.sandbox.besitos.rows = [*many(4), reversal(3, payout=3)]
    house.load(FROM, TO)
    assert payouts(house) == 7


def test_b07_a_vendor_that_fails_at_everything_is_not_read_otherwise(
    serving: Callable[..., Workspace],
) -> None:
    """From the reversals on nothing is answered: exit 6, and a few questions showed it."""
    house = serving([*many(4), reversal(3, payout=3)])
    house.sandbox.faults.add(Fault(where=from_the_reversals_on(), html=True))
    report = house.run(FROM, TO)
    assert (report.exit_code, "Reversals of 2024-12-01" in str(report.error)) == (6, True)
    assert len(house.sandbox.requests) < 25
    house.sandbox.faults.clear()
    assert not house.load(FROM, TO).notes


@pytest.mark.more
def test_m02_the_last_reversal_that_the_vendor_withdraws_is_no_doubt_of_the_word(
    serving: Callable[..., Workspace],
) -> None:
    """An empty list where one was shown: everything is read once, and has none either. The word stays."""
    house = serving([*many(4), reversal(3, payout=3)])
    house.load(FROM, TO)
    house.vendor = of("reversals")
    house.sandbox.besitos.rows = many(4)
    assert not [note for note in house.load(FROM, TO).notes if "asked for alone" in note]
    asked = len(house.sandbox.requests)
    house.load(FROM, TO)
    assert words(house, asked) == ["true"]
    assert house.query("select is_reversal from besitos.withdrawn_events") == [(True,)]


def test_m02_one_users_reading_proves_nothing_of_all(serving: Callable[..., Workspace]) -> None:
    """Others' reversals are no reason to doubt that one user has none; nor are they forgotten."""
    house = serving([*many(4), reversal(3, payout=3), row(9, user_id="other")])
    house.load(FROM, TO)
    house.vendor = of("reversals", user_id="other")
    asked = len(house.sandbox.requests)
    house.load(FROM, TO)
    assert words(house, asked) == ["true"]


@pytest.mark.more
@pytest.mark.parametrize("reading", ["one", "rule"])
def test_b07_reversals_are_asked_for_in_the_way_that_is_understood(
    serving: Callable[..., Workspace], reading: str
) -> None:
    """`true` means no where only `1` means yes, or is refused: the answer shows it, and the state remembers."""
    house = serving([*many(4), reversal(3, payout=3)], is_reverse=reading, omitted="originals")
    report = house.load(FROM, TO)
    assert payouts(house) == 7
    assert any("is_reverse=1" in note for note in report.notes)
    before = len(house.sandbox.requests)
    assert not house.load(FROM, TO).notes
    assert set(words(house, before)) == {None, "1"}


def test_m02_reversals_that_are_failed_at_in_one_word_are_asked_for_in_the_other(
    serving: Callable[..., Workspace],
) -> None:
    """`is_reverse=true` is a 500, or no data, for ever: `1` is tried, told and remembered."""
    house = serving([*many(4), reversal(3, payout=3)], spoilt="failed", spoilt_flag="reversals")
    report = house.load(FROM, TO)
    assert report.total("reversals") == 1
    assert any("is_reverse=1" in note for note in report.notes)
    before = len(house.sandbox.requests)
    assert not house.load(FROM, TO).notes
    assert set(words(house, before)) == {None, "1"}


def test_m02_an_empty_list_in_the_other_word_proves_nothing(serving: Callable[..., Workspace]) -> None:
    """`true` fails, and `1` brings nothing, understood or not: all is read, and `1` is not the word that works."""
    house = serving([*many(4)], is_reverse="nothing", spoilt="failed", spoilt_flag="reversals")
    [note] = house.load(FROM, TO).notes
    assert "reversals cannot be asked for alone (500)" in note
    house.sandbox.besitos.rows = [*many(4), reversal(3, payout=3)]
    asked = len(house.sandbox.requests)
    assert house.load(FROM, TO).total("reversals") == 1
    assert set(words(house, asked)) == {None}


@pytest.mark.more
def test_m02_no_reversal_at_all_is_asked_for_in_the_other_words(serving: Callable[..., Workspace]) -> None:
    """A vendor that knows `1` alone, and answers anything else with an empty list: its reversals come all the same."""
    taken_back = [reversal(number) for number in range(1, 7)]
    house = serving([*map(row, range(1, 111)), *taken_back], is_reverse="number", omitted="originals")
    report = house.load(FROM, TO)
    assert report.total("reversals") == 6
    assert any("is_reverse=1" in note for note in report.notes)
    asked = len(house.sandbox.requests)
    assert house.load(FROM, TO).total("reversals") == 0
    assert (words(house, asked).count("true"), words(house, asked).count("1") > 0) == (0, True)


def _by_its_clock(
    _state: Mapping[str, Any], settings: BesitosSettings, _asked: LoadRequest
) -> Iterator[Step]:
    yield Step("both streams", lambda on_page: besitos(settings=settings, on_page=on_page))


def of(stream: str, user_id: str | None = None) -> Vendor:
    """Besitos with one stream alone, of this user, or of all."""

    def steps(_state: Mapping[str, Any], _settings: BesitosSettings, asked: LoadRequest) -> Iterator[Step]:
        narrowed = partial(besitos, asked.start, asked.end, streams=[stream], user_id=user_id)
        yield Step(stream, lambda on_page: narrowed(on_page=on_page))

    return dataclasses.replace(at_once(), steps=steps)
