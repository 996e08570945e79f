"""What is wrong with a listing costs itself: a day that answers anything but data, a range, and nothing beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from dlt.common.configuration.specs import configspec
from dlt.common.typing import TSecretStrValue  # noqa: F401 - dlt looks it up here, for the inherited field

from conversync.cli.output import failure
from conversync.http.client import Client, Limits
from conversync.load_counts import StepReport
from conversync.sandbox import Fault, Request, Variants
from conversync.vendors import LoadRequest, Step, Vendor
from sources.besitos import BesitosSettings, besitos
from tests.besitos.changes import everything
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import row
from tests.support import Workspace, at_once

FROM, TO = "2024-12-01", "2024-12-31"
NINTH = "2024-12-09"
ALL = set(range(1, 94))
# What the ninth of December is answered with, for ever; and what is said of it.
ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "401": ({"status": 401}, "refused the token (401"),
    "403": ({"status": 403}, "refused the token (403"),
    "302": ({"redirect": "/elsewhere"}, "redirects GET"),
    "login": ({"redirect": "/login"}, "login page"),
    "429": ({"status": 429}, "limiting our rate (429"),
    "405": ({"status": 405}, "refused GET"),
    "closed": ({"close_before_answer": True}, "broke off its answer"),
    "stalls": ({"stall_after": 10}, "did not answer"),
    "drips": ({"slow_bytes_per_second": 5}, "did not answer"),
}


@configspec
class Hasty(BesitosSettings):
    """Nothing is waited for."""

    def client(self) -> Client:
        """As the settings' own, with small limits."""
        limits = Limits(
            http_budget=0, read_timeout=0.3, request_deadline=0.5, short_budget=0, backoff=0.01, restart=0
        )
        return Client(
            self.besitos_url,
            vendor="Besitos",
            headers={"Authorization": f"Bearer {self.besitos_token}"},
            credentials_hint="Check besitos_token in .dlt/secrets.toml.",
            limits=limits,
        )


def hasty() -> Vendor:
    """As `at_once`, to a machine that waits for nothing."""

    def steps(_state: Mapping[str, Any], settings: BesitosSettings, asked: LoadRequest) -> Iterator[Step]:
        run = partial(besitos, asked.start, asked.end, settings=settings)
        yield Step("both streams", lambda on_page: run(on_page=on_page))

    return replace(at_once(), settings=Hasty, steps=steps)


@pytest.fixture
def month(make_house: MakeHouse) -> Workspace:
    """Three rows a day of 1, 2, 3, ... USD in December, both streams in one commit."""
    house = make_house(besitos_page_size="100", http_budget="0")
    house.vendor = at_once()
    house.sandbox.besitos.rows = [
        row(n, payout=Decimal(n), date_time=f"2024-12-{1 + n % 31:02} 06:25:{n % 60:02}") for n in sorted(ALL)
    ]
    return house


def of(*days: int) -> set[int]:
    """The transactions of these days of December."""
    return {n for n in ALL if 1 + n % 31 in days}


def held(house: Workspace) -> set[int]:
    """The transactions in the table."""
    return {number for [number] in house.query("select transaction_id from besitos.conversions")}


def scripted(house: Workspace) -> list[dict[str, Any]]:
    """The rows that the vendor has."""
    return [one for one in house.sandbox.besitos.rows or () if isinstance(one, dict)]


def holds(*days: str) -> Any:
    """Of a request for all conversions: is one of these days among its own?"""

    def is_among(asked: Request) -> bool:
        first, last = asked.query["from_date"], asked.query["to_date"]
        return everything(asked) and any(first <= day <= last for day in days)

    return is_among


def short(house: Workspace) -> list[str]:
    """The days that `status` tells as short."""
    query = "select day::text from besitos.days where stream = 'conversions' and state = 'short' order by 1"
    return [day for [day] in house.query(query)]


def healed(house: Workspace) -> int:
    """The vendor mends, and the next night is whole; how many requests it took."""
    house.sandbox.faults.clear()
    house.sandbox.besitos.variants = Variants()
    before = len(house.sandbox.requests)
    house.load(FROM, TO)
    assert held(house) == ALL
    assert house.query("select count(*) from besitos.days where state = 'short'") == [(0,)]
    return len(house.sandbox.requests) - before


@pytest.mark.parametrize(
    "answer", [*list(ANSWERS)[:5], *(pytest.param(one, marks=pytest.mark.more) for one in list(ANSWERS)[5:])]
)
def test_h15_a_day_that_is_answered_so_for_ever_costs_that_day_alone(month: Workspace, answer: str) -> None:
    """The others are loaded, it is told in the vendor's words, exit 3; no range is learned; the next night heals it."""
    how, said = ANSWERS[answer]
    month.vendor = hasty()
    fault = month.sandbox.faults.add(Fault(where=holds(NINTH), **how))
    began = time.monotonic()
    report = month.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    [note] = [note for note in report.notes if NINTH in note]
    assert f"conversions cannot be shown to be whole on {NINTH}: " in note
    assert said in note
    assert "Check besitos_token" not in note
    assert not any("refused" in one for one in report.notes if one != note)
    assert held(month) == ALL - of(9)
    assert short(month) == [NINTH]
    assert month.query("select sum(missing) from besitos.days") == [(0,)], (
        "nothing shows that a row is missing"
    )
    assert len(month.sandbox.requests) < 40
    assert time.monotonic() - began < 30
    assert healed(month) <= 4


@pytest.mark.more
@pytest.mark.parametrize(("answer", "code"), [("401", 5), ("302", 6), ("login", 5), ("429", 6), ("405", 6)])
def test_h15_where_everything_is_answered_so_it_is_no_day(month: Workspace, answer: str, code: int) -> None:
    """A wrong token, or address: the exit code it always was, after a request or two more than one."""
    fault = month.sandbox.faults.add(Fault(**ANSWERS[answer][0]))
    report = month.run(FROM, TO)
    assert (report.exit_code, report.steps) == (code, [])
    assert ANSWERS[answer][1] in str(report.error)
    assert fault.delivered <= (3 if answer in {"401", "302", "login"} else 5)
    healed(month)


def test_h15_a_token_that_is_withdrawn_in_the_middle_is_no_day(month: Workspace) -> None:
    """The first range came; from the second on it is a 401 for everything: exit 5, after two requests."""
    month.settings["BESITOS_RANGE_DAYS"] = "10"
    gone: list[bool] = []

    def is_gone(asked: Request) -> bool:
        gone.extend([True] if asked.query["from_date"] > "2024-12-05" else [])
        return bool(gone)

    fault = month.sandbox.faults.add(Fault(status=401, where=is_gone))
    report = month.run(FROM, TO)
    assert (report.exit_code, fault.delivered) == (5, 2)
    after_one = failure(replace(report, steps=[StepReport()]))
    after = "the same command reads all of its days again, which doubles nothing."
    assert after_one.endswith(f" 1 window before it is loaded; {after}")


@pytest.mark.parametrize("budget", ["3", pytest.param("0", marks=pytest.mark.more)])
def test_b05_every_third_day_that_fails_teaches_nothing_of_ranges(month: Workspace, budget: str) -> None:
    """Each a 500 for ever: all others are loaded, few questions; and the night after costs what a good one does."""
    month.settings["HTTP_BUDGET"] = budget
    bad = [f"2024-12-{day:02}" for day in range(2, 32, 3)]
    month.sandbox.faults.add(Fault(status=500, where=holds(*bad)))
    began = time.monotonic()
    report = month.run(FROM, TO)
    seconds = time.monotonic() - began
    assert (report.error, report.exit_code) == (None, 3)
    assert held(month) == ALL - of(*range(2, 32, 3))
    assert short(month) == bad
    assert not any("ranges" in note for note in report.notes)
    questions = {one.target for one in month.sandbox.requests}
    assert len(questions) <= 90
    assert len(month.sandbox.requests) <= 130
    assert seconds < 2 * int(budget) + 10
    assert healed(month) <= 4


@pytest.mark.parametrize(
    "answer",
    [{"status": 500}, pytest.param({"html": True}, marks=pytest.mark.more)],
    ids=["b05-500", "b05-page"],
)
def test_days_that_fail_around_and_at_the_ends_of_a_window_cost_themselves(
    month: Workspace, answer: dict[str, Any]
) -> None:
    """The day before, the first, the middle, the last, and the day after: others, far apart, show that it is there."""
    bad = ("2024-11-30", "2024-12-01", "2024-12-16", "2024-12-31", "2025-01-01")
    month.sandbox.faults.add(Fault(where=holds(*bad), **answer))
    report = month.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 3)
    assert held(month) == ALL - of(1, 16, 31)
    assert set(bad[1:3]) <= set(short(month))
    assert len(month.sandbox.requests) < 100
    healed(month)


def test_b05_an_answer_that_does_not_come_again_is_no_vendor_that_is_down(month: Workspace) -> None:
    """One day fails, and so does whatever is asked a second time: something else is answered, so that is believed."""
    seen: set[str] = set()

    def fails(asked: Request) -> bool:
        is_again = asked.target in seen
        seen.add(asked.target)
        return holds(NINTH)(asked) or (is_again and everything(asked))

    month.sandbox.faults.add(Fault(status=500, where=fails))
    report = month.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 3)
    assert held(month) == ALL - of(9)


@pytest.mark.more
def test_b05_a_range_that_came_whole_in_parts_is_a_limit(month: Workspace) -> None:
    """More than ten days are a 500 for ever: all is loaded, the limit is told, and the next night heeds it."""
    month.sandbox.besitos.variants = Variants(range_limit=10, beyond_limits="failed")
    report = month.load(FROM, TO)
    assert held(month) == ALL
    assert any("ranges of 31 days are refused" in note for note in report.notes)
    assert len(month.sandbox.requests) < 40
    before = len(month.sandbox.requests)
    assert not month.load(FROM, TO).notes
    assert not [one for one in month.sandbox.requests[before:] if one.status != 200]


@pytest.mark.more
def test_b05_pages_of_a_size_are_a_limit_where_the_same_days_came_in_smaller_ones(month: Workspace) -> None:
    """More than thirty rows a page are a 500; where one day fails, too, no size is to blame for that."""
    month.sandbox.besitos.variants = Variants(per_page_limit=30, beyond_limits="failed")
    report = month.load(FROM, TO)
    assert any("pages of 100 rows are refused" in note for note in report.notes)
    before = len(month.sandbox.requests)
    assert not month.load(FROM, TO).notes
    assert not [one for one in month.sandbox.requests[before:] if one.status != 200]


@pytest.mark.more
@pytest.mark.parametrize("cached", ["f-other-days", "f-another-range"])
def test_b05_a_range_that_is_answered_with_rows_of_another_costs_itself(
    month: Workspace, cached: str
) -> None:
    """One question is answered from a cache: its days come in others, or are told. Exit 0 or 3, and nothing is lost."""
    month.settings["BESITOS_RANGE_DAYS"] = "11"
    sparse = month.sandbox.besitos.rows = scripted(month)[:31:2]
    wrong = {"from_date": "2024-12-11", "to_date": "2024-12-21"}
    right = [one for one in sparse if one["date_time"] < "2024-12-12"]
    if cached == "f-other-days":
        right = [one for one in right if one["date_time"] < "2024-12-05"]

    def other_rows(document: dict[str, Any], _query: object) -> dict[str, Any]:
        meta = {**document["meta"], "total": len(right), "last_page": 1}
        return {**document, "data": right, "meta": meta}

    fault = month.sandbox.faults.add(Fault(query=wrong, where=everything, mutate=other_rows))
    report = month.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 0)
    assert held(month) == {one["transaction_id"] for one in sparse}


def test_b05_days_that_no_question_heeds_are_no_answer(month: Workspace) -> None:
    """A server that is deaf to days: exit 6 where it answers with rows of none of them, after a few questions."""
    newest = [one for one in scripted(month) if one["date_time"] > "2024-12-29"]

    def is_deaf(document: dict[str, Any], _query: object) -> dict[str, Any]:
        return {
            **document,
            "data": newest,
            "meta": {**document["meta"], "total": len(newest), "last_page": 1},
        }

    fault = month.sandbox.faults.add(Fault(where=everything, mutate=is_deaf))
    report = month.run("2024-10-01", "2024-10-20")
    assert (report.exit_code, report.steps) == (6, [])
    assert "the days asked for are not heeded" in str(report.error)
    assert fault.delivered < 10


def test_b05_a_second_page_that_is_never_given_is_not_needed(make_house: MakeHouse) -> None:
    """It is a 500 for ever, of whatever days: they come in pages that hold all of them, however many are tried."""
    house = make_house(besitos_page_size="1000", http_budget="1")
    house.vendor = at_once()
    sold = [row(number, date_time=f"2024-12-{1 + number % 12:02} 06:25:36") for number in range(1, 6001)]
    house.sandbox.besitos.rows = sold
    fault = house.sandbox.faults.add(Fault(status=500, where=lambda asked: asked.query.get("page") == "2"))
    house.load("2024-12-01", "2024-12-12")
    assert fault.delivered
    assert held(house) == set(range(1, 6001))


def sell(house: Workspace, days: int, a_day: int) -> set[int]:
    """So many rows a day until yesterday; the transactions."""
    today = datetime.now(UTC)
    sold = [
        row(number, date_time=f"{today - timedelta(days=1 + number % days):%Y-%m-%d} 06:{number % 60:02}:36")
        for number in range(1, days * a_day + 1)
    ]
    house.sandbox.besitos.rows = sold
    house.settings |= {
        "BESITOS_START_DATE": str((today - timedelta(days=days + 1)).date()),
        "BESITOS_PAGE_SIZE": "100",
        "HTTP_BUDGET": "1",
    }
    return set(range(1, days * a_day + 1))


def nights_cost(house: Workspace) -> list[int]:
    """The requests of three good nights."""
    costs = []
    for _ in range(3):
        before = len(house.sandbox.requests)
        house.load()
        costs.append(len(house.sandbox.requests) - before)
    return costs


def test_b04_a_total_of_the_whole_table_costs_no_day(make_house: MakeHouse) -> None:
    """It contradicts itself, which is found once: days are read twice instead, this night and the next, exit 0."""
    house = make_house()
    sold = sell(house, 170, 20)
    house.settings["BESITOS_PAGE_SIZE"] = "1000"
    house.sandbox.faults.add(
        Fault(
            where=everything,
            mutate=lambda page, _query: {**page, "meta": {**page["meta"], "total": len(sold)}},
        )
    )
    for most in (40, 12):
        before = len(house.sandbox.requests)
        report = house.run()
        assert (report.error, report.exit_code) == (None, 0), report.notes
        assert held(house) == sold
        assert short(house) == []
        assert len(house.sandbox.requests) - before <= most


def test_h15_days_on_which_we_are_not_let_in_teach_nothing_of_ranges(make_house: MakeHouse) -> None:
    """Every third question is a 401, whatever days it is of: the next good nights ask as many as ever."""
    house = make_house()
    sold = sell(house, 12, 50)
    asked: list[Request] = []

    def third(one: Request) -> bool:
        asked.append(one)
        return len(asked) % 3 == 0

    house.sandbox.faults.add(Fault(status=401, where=third))
    report = house.run()
    assert not any("ranges" in note for note in report.notes)
    house.sandbox.faults.clear()
    assert max(nights_cost(house)[1:]) < 20
    assert held(house) == sold
