"""Every example of Conductrics' document: the list to the letter, and what may be put, got and deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.conductrics import Variants
from tests.sandbox.asking import call, conductrics

LIST = """
{
	"status": 200,
	"data": [{
		"code": "g-Nd40yzQjDf",
		"name": "Video Play Start",
		"agents": ["a-3eHahm75Oi", "a-H509Pq90EL"]
	}, {
		"code": "g-h5AvSpdBS2",
		"name": "Checkout Complete",
		"agents": ["a-H509Pq90EL"]
	}]
}
"""
VIDEO = {"code": "g-Nd40yzQjDf", "name": "Video Play Start", "agents": ["a-3eHahm75Oi", "a-H509Pq90EL"]}
CHECKOUT = {"code": "g-h5AvSpdBS2", "name": "Checkout Complete", "agents": ["a-H509Pq90EL"]}
GOAL = "goals/goal/g-Nd40yzQjDf"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An account without goals, whose name is the document's pretend one."""
    with Sandbox(World(days=1)) as running:
        running.conductrics.rows = []
        yield running


def put(sandbox: Sandbox, **body: object) -> tuple[int, object]:
    """What a PUT of the document's goal is answered."""
    reply = conductrics(sandbox, GOAL, "PUT", body)
    told = reply.json()
    assert told["status"] == reply.status
    return reply.status, told.get("error", told.get("data"))


def test_the_sample_list(sandbox: Sandbox) -> None:
    """Both goals put as the document says give its sample, byte for byte without the white space."""
    for goal in (VIDEO, CHECKOUT):
        assert conductrics(sandbox, f"goals/goal/{goal['code']}", "PUT", goal).status == 200
    assert conductrics(sandbox, "goals").text == re.sub(r'("[^"]*")|\s+', lambda match: match[1] or "", LIST)


def test_the_detail_has_more_than_the_list(sandbox: Sandbox) -> None:
    """countMax 1 by default, and what is neither supported nor documented."""
    put(sandbox, **VIDEO, valueMin=0.5, valueMax=10)
    detail = conductrics(sandbox, GOAL).json()["data"]
    assert {name: detail[name] for name in VIDEO} == VIDEO
    assert (detail["countMax"], str(detail["valueMin"]), detail["valueMax"]) == (1, "0.5", 10)
    assert set(detail) - set(VIDEO) == {"countMax", "valueMin", "valueMax", "diagram", "tags"}


def test_a_partial_document_updates_some_fields(sandbox: Sandbox) -> None:
    """`{"name": "My New Name"}` renames; a given `agents` replaces the whole list."""
    put(sandbox, **VIDEO, countMax=3)
    put(sandbox, name="My New Name")
    put(sandbox, agents=["a-new"])
    detail = conductrics(sandbox, GOAL).json()["data"]
    assert (detail["name"], detail["agents"], detail["countMax"]) == ("My New Name", ["a-new"], 3)
    assert [one.body for one in sandbox.conductrics.received[1:]] == [
        {"name": "My New Name"},
        {"agents": ["a-new"]},
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"code": "g-other"}, "must match"),
        ({"name": "x" * 51}, "50 characters"),
        ({"name": ""}, "50 characters"),
        ({"agents": "a-1"}, "array"),
        ({"countMax": 0}, "positive integer"),
        ({"countMax": 1.5}, "positive integer"),
        ({"valueMin": 1}, "both"),
        ({"valueMax": 1}, "both"),
        ({"valueMin": 2, "valueMax": 2}, "greater"),
        ({"valueMin": "1", "valueMax": 2}, "number"),
    ],
)
def test_documented_limits(sandbox: Sandbox, wrong: dict[str, object], said: str) -> None:
    """Each is a 400 that says so, and nothing is changed."""
    status, error = put(sandbox, **{**VIDEO, **wrong})
    assert status == 400
    assert said in str(error)
    assert conductrics(sandbox, "goals").json()["data"] == []


@pytest.mark.parametrize("missing", ["code", "name", "agents"])
def test_what_a_new_goal_needs(sandbox: Sandbox, missing: str) -> None:
    """Code, name and agents at a minimum; the agents may be empty."""
    assert put(sandbox, **{name: value for name, value in VIDEO.items() if name != missing})[0] == 400
    assert put(sandbox, **{**VIDEO, "agents": []})[0] == 200


def test_codes_of_letters_digits_slashes_and_underscores(sandbox: Sandbox) -> None:
    """Up to 100 characters; slashes encoded; `-` as in the samples unless the variant keeps to the text."""

    def create(code: str, path: str) -> int:
        return conductrics(sandbox, f"goals/goal/{path}", "PUT", {**VIDEO, "code": code}).status

    assert create("shop/Cart_2", "shop%2FCart_2") == 200
    assert conductrics(sandbox, "goals/goal/shop%2FCart_2").json()["data"]["code"] == "shop/Cart_2"
    assert conductrics(sandbox, "goals/goal/shop/Cart_2").status == 404
    assert create("x" * 100, "x" * 100) == 200
    assert [create("x" * 101, "x" * 101), create("a b", "a%20b"), create("é", "%C3%A9")] == [400, 400, 400]
    sandbox.conductrics.variants = Variants(dashes=False, slashes="any")
    assert create("g-1", "g-1") == 400
    assert conductrics(sandbox, "goals/goal/shop/Cart_2").status == 200


def test_deleting_a_goal(sandbox: Sandbox) -> None:
    """It is gone from the list and as itself; a second time there is nothing to delete."""
    put(sandbox, **VIDEO)
    assert conductrics(sandbox, GOAL, "DELETE").json()["status"] == 200
    assert conductrics(sandbox, "goals").json() == {"status": 200, "data": []}
    assert [conductrics(sandbox, GOAL).status, conductrics(sandbox, GOAL, "DELETE").status] == [404, 404]
    assert [one.method for one in sandbox.conductrics.received] == ["PUT", "DELETE"]


def test_the_key_as_header_or_parameter(sandbox: Sandbox) -> None:
    """Both work; the parameter is noted, since it leaks. "Unauthorized" for any other key or account."""
    path, key = f"/admin/{sandbox.conductrics.account}/goals", sandbox.conductrics.api_key
    assert call(sandbox, "GET", path, {"x-conductrics-apikey": key}).status == 200
    assert sandbox.conductrics.keys_in_query == []
    assert call(sandbox, "GET", f"{path}?apikey={key}", {}).status == 200
    assert sandbox.conductrics.keys_in_query == [path]
    wrong = [
        call(sandbox, "GET", path, {}),
        call(sandbox, "GET", path, {"x-conductrics-apikey": "x"}),
        call(sandbox, "GET", "/admin/acc-other/goals", {"x-conductrics-apikey": key}),
    ]
    assert [(one.status, one.json()) for one in wrong] == [
        (401, {"status": 401, "error": "Unauthorized"})
    ] * 3
