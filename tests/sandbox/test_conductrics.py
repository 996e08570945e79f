"""Goals that are created, renamed, re-associated and deleted as the clock moves, and answers that lie."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.conductrics import Goal, Variants
from conversync.sandbox.readings import parse
from tests.sandbox.asking import call, conductrics


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Ninety days, with the clock in their middle."""
    world = World()
    world.now = world.day(45)
    with Sandbox(world) as running:
        yield running


def goals(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The list."""
    data: list[dict[str, Any]] = conductrics(sandbox, "goals").json()["data"]
    return data


def detail(sandbox: Sandbox, code: str) -> Any:
    return conductrics(sandbox, f"goals/goal/{quote(code, safe='')}").json()["data"]


def held(sandbox: Sandbox) -> dict[str, Goal]:
    """What a reader makes of the list and every detail."""
    told = {}
    for code in [goal["code"] for goal in goals(sandbox)]:
        one = detail(sandbox, code)
        one = one[0] if isinstance(one, list) else one
        told[code] = Goal(
            code,
            one["name"],
            tuple(sorted(one["agents"])),
            one.get("countMax", 1),
            one.get("valueMin"),
            one.get("valueMax"),
        )
    return told


@pytest.mark.parametrize(
    "reading",
    ["", "count_max=absent", "unset=null", "detail=list", "extras=false", "order=shuffled", "slashes=any"],
)
def test_list_and_details_are_the_oracles(sandbox: Sandbox, reading: str) -> None:
    """Under every way of telling them; a code's slashes are encoded."""
    sandbox.conductrics.variants = parse([reading] if reading else [], Variants())
    told = held(sandbox)
    assert told == sandbox.conductrics.oracle.goals()
    assert len(told) > 20
    assert [code for code in told if "/" in code]
    assert [goal for goal in told.values() if goal.value_min is not None]
    assert sandbox.conductrics.keys_in_query == []


def test_the_list_has_three_fields_and_the_detail_more(sandbox: Sandbox) -> None:
    """`diagram` and `tags` are documented as undocumented."""
    summaries = goals(sandbox)
    assert {tuple(one) for one in summaries} == {("code", "name", "agents")}
    assert {"countMax", "diagram", "tags"} < set(detail(sandbox, summaries[0]["code"]))
    sandbox.conductrics.variants = Variants(extras=False)
    assert not {"diagram", "tags"} & set(detail(sandbox, summaries[0]["code"]))


def test_shuffled_lists_say_the_same(sandbox: Sandbox) -> None:
    """Another order at every request, of goals and of each goal's agents."""
    sandbox.conductrics.variants = Variants(order="shuffled")
    first, second = goals(sandbox), goals(sandbox)
    assert first != second
    assert sorted(one["code"] for one in first) == sorted(one["code"] for one in second)
    agents = [{one["code"]: one["agents"] for one in told} for told in (first, second)]
    assert [code for code in agents[0] if agents[0][code] != agents[1][code]]


def test_history_of_daily_reads(sandbox: Sandbox) -> None:
    """Every kind of change happens; spells of a code follow each other, and the open ones are the goals."""
    world, oracle = sandbox.world, sandbox.conductrics.oracle
    for number in range(110):
        world.now = world.day(number)
        goals(sandbox)
    reads = sandbox.conductrics.reads
    assert reads == [world.day(number) for number in range(110)]
    history = oracle.history(reads)
    pairs = [(a, b) for spells in history.values() for a, b in pairwise(spells)]
    assert all(a.until is not None and a.until <= b.since for a, b in pairs)
    assert {
        code: spells[-1].goal for code, spells in history.items() if spells[-1].until is None
    } == oracle.goals()
    changed = [(a, b) for a, b in pairs if a.until == b.since]
    counts = {
        "renamed": sum(a.goal.name != b.goal.name for a, b in changed),
        "re-associated": sum(a.goal.agents != b.goal.agents for a, b in changed),
        "deleted": sum(spells[-1].until is not None for spells in history.values()),
        "restored": len(pairs) - len(changed),
        "created later": sum(spells[0].since > world.day(0) for spells in history.values()),
    }
    assert {name: count for name, count in counts.items() if not count} == {}


def test_agents(sandbox: Sandbox) -> None:
    """One comes, one stops, one goes; each with its choices and unix times."""
    world = sandbox.world
    seen = []
    for number in (0, 45, 80):
        world.now = world.day(number)
        told = conductrics(sandbox, "agents").json()["data"]
        assert {one["code"]: one for one in told} == sandbox.conductrics.oracle.agents()
        seen.append({one["name"]: one["status"] for one in told})
    assert set(seen[0]) != set(seen[1]) != set(seen[2])
    assert [sum(status == "stopped" for status in statuses.values()) for statuses in seen] == [0, 1, 1]
    assert set(told[0]) == {
        *("code", "name", "desc", "status", "num_days", "choices"),
        *("tags", "workflow_tags", "members", "rec"),
    }
    linked = {agent for _, agent in sandbox.conductrics.oracle.goal_agents(world.day(45))}
    assert len(linked) > 3


def test_a_goal_may_vanish_between_list_and_detail(sandbox: Sandbox) -> None:
    """By a variant, or really, by an action of a fault; then no later list has it."""
    code = goals(sandbox)[0]["code"]
    sandbox.conductrics.variants = Variants(vanishing=frozenset({code}))
    assert code in [one["code"] for one in goals(sandbox)]
    assert conductrics(sandbox, f"goals/goal/{quote(code, safe='')}").status == 404
    assert code not in sandbox.conductrics.oracle.goals()
    sandbox.conductrics.variants = Variants()
    target = f"/admin/{sandbox.conductrics.account}/goals/goal/{quote(code, safe='')}"
    sandbox.faults.add(
        Fault(where=lambda request: request.target == target, action=lambda: sandbox.conductrics.delete(code))
    )
    assert conductrics(sandbox, f"goals/goal/{quote(code, safe='')}").status == 404
    assert code not in [one["code"] for one in goals(sandbox)]
    assert code not in sandbox.conductrics.oracle.goals()


def test_a_list_may_suddenly_be_empty(sandbox: Sandbox) -> None:
    """Once, or from now on; the goals are there all the same."""
    sandbox.conductrics.variants = Variants(empty="once")
    assert [len(goals(sandbox)) > 0 for _ in range(3)] == [False, True, True]
    sandbox.conductrics.variants = Variants(empty="always")
    assert [goals(sandbox) for _ in range(2)] == [[], []]
    assert len(sandbox.conductrics.oracle.goals()) > 20
    assert len(sandbox.conductrics.reads) == 2


@pytest.mark.parametrize("status", [401, 500])
def test_a_body_may_say_what_http_does_not(sandbox: Sandbox, status: int) -> None:
    """HTTP 200 around another status, whatever is asked; or for errors alone."""
    sandbox.conductrics.variants = Variants(body_status=status)
    reply = conductrics(sandbox, "goals")
    assert (reply.status, reply.json()) == (200, {"status": status, "data": []})
    sandbox.conductrics.variants = Variants(errors="body")
    path = f"/admin/{sandbox.conductrics.account}/goals"
    refused = call(sandbox, "GET", path, {"x-conductrics-apikey": "x"})
    assert (refused.status, refused.json()["status"]) == (200, 401)
    missing = conductrics(sandbox, "goals/goal/none")
    assert (missing.status, missing.json()["status"]) == (200, 404)
    assert conductrics(sandbox, "goals").json()["status"] == 200


def test_scripted_goals_and_agents(sandbox: Sandbox) -> None:
    """Whole in the detail, cut in the list; text verbatim in both."""
    sandbox.conductrics.rows = [
        {"code": "a/b", "name": "A", "agents": [], "countMax": 2, "odd": None},
        '{"code":"c","valueMin":1.50}',
    ]
    sandbox.conductrics.agent_rows = [{"code": "x"}]
    assert conductrics(sandbox, "goals").text == (
        '{"status":200,"data":[{"code":"a/b","name":"A","agents":[]},{"code":"c","valueMin":1.50}]}'
    )
    assert detail(sandbox, "a/b")["odd"] is None
    assert '"data":{"code":"c","valueMin":1.50}' in conductrics(sandbox, "goals/goal/c").text
    assert conductrics(sandbox, "agents").json()["data"] == [{"code": "x"}]


def test_what_is_put_joins_the_world(sandbox: Sandbox) -> None:
    """The oracle knows it from then on, and not before; a deleted goal can be put again."""
    oracle, world = sandbox.conductrics.oracle, sandbox.world
    before = world.now
    world.advance(hours=1)
    wish = {"code": "new/goal", "name": "New", "agents": ["b", "a"]}
    for method, body in (("PUT", wish), ("DELETE", None), ("PUT", {**wish, "name": "Newer"})):
        assert conductrics(sandbox, "goals/goal/new%2Fgoal", method, body).status == 200
        world.advance(hours=1)
    assert oracle.goals()["new/goal"] == Goal("new/goal", "Newer", ("a", "b"))
    assert "new/goal" not in oracle.goals(before)
    spells = oracle.history(
        [before, before + timedelta(minutes=90), before + timedelta(minutes=150), world.now]
    )
    assert [(one.goal.name, one.until is None) for one in spells["new/goal"]] == [
        ("New", False),
        ("Newer", True),
    ]
