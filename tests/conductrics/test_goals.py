"""Goals of Conductrics as they come and go: the list, whom they belong to, and every version they had."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from conversync.sandbox import Fault, World
from conversync.sandbox.conductrics import Goal, Variants
from conversync.sandbox.readings import parse
from tests.conductrics.conftest import MakeHouse, goal
from tests.houses import VendorWorkspace
from tests.support import tables

AT_ONCE = "count_max=absent unset=null detail=list extras=false order=shuffled errors=body slashes=any"
EACH = ["", "count_max=absent", "unset=null", "detail=list", "extras=false", "order=shuffled", "errors=body"]
COLUMNS = "code, name, count_max, value_min, value_max"


def goals_held(house: VendorWorkspace) -> dict[str, Goal]:
    agents: dict[str, list[str]] = {}
    for code, agent in house.query("select code, agent from conductrics.goal_agents order by all"):
        agents.setdefault(code, []).append(agent)
    rows = house.query(f"select {COLUMNS} from conductrics.goals")
    return {row[0]: Goal(row[0], row[1], tuple(agents.get(row[0], ())), *row[2:]) for row in rows}


def history_held(house: VendorWorkspace) -> dict[str, list[tuple[Goal, bool]]]:
    """By code, every version in order, and whether it is the current one; each ends where a later one may begin."""
    query = f"select {COLUMNS}, agents, valid_from, valid_to from conductrics.goal_history order by code, valid_from"
    found: dict[str, list[tuple[Goal, bool]]] = {}
    ended: dict[str, datetime | None] = {}
    for code, name, count_max, least, most, agents, valid_from, valid_to in house.query(query):
        until = ended.get(code, valid_from)
        assert until is not None, f"two versions of {code} are open"
        assert until <= valid_from, f"two versions of {code} overlap"
        version = Goal(code, name, tuple(json.loads(agents)), count_max, least, most)
        found.setdefault(code, []).append((version, valid_to is None))
        ended[code] = valid_to
    return found


def is_the_oracles(house: VendorWorkspace) -> None:
    vendor = house.sandbox.conductrics
    assert goals_held(house) == vendor.oracle.goals()
    assert set(house.query("select code, agent from conductrics.goal_agents")) == vendor.oracle.goal_agents()
    expected = {
        code: [(spell.goal, spell.until is None) for spell in spells]
        for code, spells in vendor.oracle.history(vendor.reads).items()
    }
    assert history_held(house) == expected
    assert {code for [code] in house.query("select code from conductrics.agents")} == set(
        vendor.oracle.agents()
    )


def promised(house: VendorWorkspace) -> None:
    """Read at five clocks, twice at the first: goals come, are renamed, re-associated, deleted, and come back."""
    world, vendor = house.sandbox.world, house.sandbox.conductrics
    world.now = world.day(10)
    house.load()
    is_the_oracles(house)
    before = tables(house.path, "conductrics")
    again = house.load()
    assert (again.total("added"), again.total("restated")) == (0, 0)
    assert tables(house.path, "conductrics") == before
    for day in (30, 45, 60):
        world.now = world.day(day)
        if day == 45:
            vendor.delete(min(vendor.oracle.goals()))
        house.load()
        is_the_oracles(house)
    spells = vendor.oracle.history(vendor.reads).values()
    assert {1, 2} <= {len(one) for one in spells}, "no goal changed: the world is too small for its promise"
    assert any(one[-1].until for one in spells), "no goal was deleted"


def test_goals_and_their_history_are_right_under_every_reading(make_house: MakeHouse) -> None:
    """Whatever the document leaves open: the tables are the oracle's after each run, and a second changes nothing."""
    promised(make_house(World(days=40, conversions_a_day=4), parse(AT_ONCE.split(), Variants())))


@pytest.mark.long
@pytest.mark.parametrize("reading", EACH)
def test_goals_and_their_history_are_right_under_each_reading(make_house: MakeHouse, reading: str) -> None:
    """As above, one reading at a time."""
    promised(make_house(World(days=40, conversions_a_day=4), parse(reading.split(), Variants())))


def test_k04_everything_is_asked_once_with_the_key_in_its_header(house: VendorWorkspace) -> None:
    """The list, one detail for each goal with its code encoded whole, and the agents; the key is in no address."""
    vendor = house.sandbox.conductrics
    vendor.rows = [goal("g-1"), goal("shop/sale/2026"), goal("a/../b"), goal("é ?#&%2F")]
    house.load()
    assert sorted(request.target for request in house.sandbox.requests) == [
        "/admin/acc-xxxxxx/agents",
        "/admin/acc-xxxxxx/goals",
        "/admin/acc-xxxxxx/goals/goal/%C3%A9%20%3F%23%26%252F",
        "/admin/acc-xxxxxx/goals/goal/a%2F..%2Fb",
        "/admin/acc-xxxxxx/goals/goal/g-1",
        "/admin/acc-xxxxxx/goals/goal/shop%2Fsale%2F2026",
    ]
    assert vendor.keys_in_query == []
    for request in house.sandbox.requests:
        assert (request.method, request.headers["x-conductrics-apikey"]) == ("GET", vendor.api_key)
    assert {code for [code] in house.query("select code from conductrics.goals")} == {
        "g-1", "shop/sale/2026", "a/../b", "é ?#&%2F"
    }  # fmt: skip


def test_a_detail_is_kept_exactly(house: VendorWorkspace) -> None:
    """Values as decimals, what is undocumented in `extra`; `diagram` and `tags` are no news, other fields are."""
    limits: dict[str, object] = {"countMax": 3, "valueMin": Decimal("0.1"), "valueMax": Decimal("11.049999")}
    others: dict[str, object] = {"diagram": {"x": 1}, "tags": [], "owner": None, "colour": "red"}
    house.sandbox.conductrics.rows = [goal("g-1", "Sale", ["a-2", "a-1", "a-2"], **limits, **others)]
    report = house.load()
    assert house.query(f"select {COLUMNS} from conductrics.goals") == [
        ("g-1", "Sale", 3, Decimal("0.1"), Decimal("11.049999"))
    ]
    [[extra]] = house.query("select extra from conductrics.goals")
    assert json.loads(extra) == {"diagram": {"x": 1}, "tags": [], "colour": "red"}
    assert report.unknown_fields == {"colour": 1}
    assert house.query("select agent from conductrics.goal_agents order by 1") == [("a-1",), ("a-2",)]


def test_what_is_new_was_read(house: VendorWorkspace) -> None:
    """A goal counts once, by its version, and not again in the tables that repeat it; a change is one, too."""
    first = house.load()
    assert (first.total("received"), first.total("added"), first.total("restated")) == (3, 3, 0)
    house.sandbox.conductrics.rows = [goal("g-1"), goal("shop/sale", "Sold", ["a-2", "a-1", "a-3"])]
    again = house.load()
    assert (again.total("received"), again.total("added"), again.total("restated")) == (3, 1, 1)


def test_s19_agents_in_another_order_are_no_new_version(house: VendorWorkspace) -> None:
    """A goal's agents are a set; another member is a new version, and the way back is a third."""
    vendor = house.sandbox.conductrics
    for agents in (["a-1", "a-2"], ["a-2", "a-3"], ["a-3", "a-2"], ["a-2", "a-1"]):
        vendor.rows = [goal("g-1", agents=agents)]
        house.load()
    assert [version.agents for version, _ in history_held(house)["g-1"]] == [
        ("a-1", "a-2"),
        ("a-2", "a-3"),
        ("a-1", "a-2"),
    ]


def test_s19_a_deleted_goal_leaves_the_list_and_is_closed_in_its_history(house: VendorWorkspace) -> None:
    """Its agents leave with it; created again, it is a new version, and the old one stays closed."""
    vendor = house.sandbox.conductrics
    rows = vendor.rows
    house.load()
    vendor.rows = [goal("g-1")]
    house.load()
    assert set(goals_held(house)) == {"g-1"}
    assert house.query("select distinct code from conductrics.goal_agents") == [("g-1",)]
    assert [open_ for _, open_ in history_held(house)["shop/sale"]] == [False]
    vendor.rows = rows
    house.load()
    assert [open_ for _, open_ in history_held(house)["shop/sale"]] == [False, True]
    assert [open_ for _, open_ in history_held(house)["g-1"]] == [True]


def test_agents_are_a_current_list_too(house: VendorWorkspace) -> None:
    """Every known field is a column, lists are JSON, seconds are times; who left the list leaves the table."""
    vendor = house.sandbox.conductrics
    choices, record = [{"code": "A"}], {"u_ts": 1767225600, "c_ts": 1767139200, "by": "me"}
    lists = {"choices": choices, "tags": ["x"], "workflow_tags": {}, "members": []}
    home = {
        "code": "a-1",
        "name": "Home",
        "desc": "",
        "status": "active",
        "num_days": 9,
        **lists,
        "rec": record,
    }
    vendor.agent_rows = [home, {"code": "a-2"}]
    report = house.load()
    assert report.unknown_fields == {}
    assert house.query("select * exclude (_dlt_load_id) from conductrics.agents order by code") == [
        ("a-1", "Home", "", "active", 9, '[{"code":"A"}]', '["x"]', "{}", "[]",
         datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), '{"rec":{"by":"me"}}'),
        ("a-2", *[None] * 11),
    ]  # fmt: skip
    vendor.agent_rows = [{"code": "a-2"}]
    house.load()
    assert house.query("select code from conductrics.agents") == [("a-2",)]


def test_j13_a_name_that_cannot_be_stored_costs_no_goal(house: VendorWorkspace) -> None:
    """It is replaced, told, and kept as it came; the next reading makes no new version of it."""
    detail = b'{"status": 200, "data": {"code": "g-1", "name": "Caf\xe9 \\ud83d", "agents": ["a-1"]}}'
    fault = house.sandbox.faults.add(Fault(path="*/goals/goal/g-1", status=200, body=detail))
    report = house.load()
    assert fault.delivered == 1
    query = "select name, cast(extra as varchar) from conductrics.goals where code = 'g-1'"
    assert house.query(query) == [("Caf\ufffd \ufffd", '{"name":"Caf\\\\xe9 \\\\ud83d"}')]
    assert "name (not as it came)" in report.unknown_fields
    house.load()
    assert house.query("select count(*) from conductrics.goal_history where code = 'g-1'") == [(1,)]
