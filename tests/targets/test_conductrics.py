"""Conductrics: goals put and deleted, within the documented limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, UnavailableError, VendorError
from conversync.sandbox import Fault
from conversync.sandbox.conductrics import Variants
from conversync.send.target import RowRefusedError
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of

TARGET = "conductrics.goals"
NEW = {"code": "g-Nd40yzQjDf", "name": "Video Play Start", "agents": '["a-3eHahm75Oi", "a-H509Pq90EL"]'}
PATH = "/admin/acc-xxxxxx/goals/goal/g-Nd40yzQjDf"


@pytest.fixture(autouse=True)
def only_ours(post: Post) -> None:
    post.sandbox.conductrics.rows = []


def goals(post: Post) -> dict[str, Any]:
    return post.sandbox.conductrics.oracle.goals()


def test_a_new_goal_and_the_documents_partial_document(post: Post) -> None:
    """Created with code, name, agents; then `{"name": "My New Name"}` alone, as the document has it."""
    assert post.send(TARGET, **NEW).status == "sent"
    assert (post.last.method, post.last.target) == ("PUT", PATH)
    assert post.last.body == (
        b'{"code":"g-Nd40yzQjDf","name":"Video Play Start","agents":["a-3eHahm75Oi","a-H509Pq90EL"]}'
    )
    assert post.last.headers["x-conductrics-apikey"] == post.sandbox.conductrics.api_key
    assert post.send(TARGET, code="g-Nd40yzQjDf", name="My New Name").status == "sent"
    assert post.last.body == b'{"name":"My New Name"}'
    assert goals(post)["g-Nd40yzQjDf"].name == "My New Name"
    assert goals(post)["g-Nd40yzQjDf"].agents == ("a-3eHahm75Oi", "a-H509Pq90EL")


def test_every_field(post: Post) -> None:
    """Numbers exactly, a list from a list or from JSON text, an empty one too."""
    post.send(
        TARGET,
        code="shop/sale_1",
        name="é" * 50,
        agents=[],
        count_max=3,
        value_min=Decimal("0.100000"),
        value_max=Decimal("1000.00"),
        deleted=False,
    )
    name = "é" * 50
    assert post.last.body.decode() == (
        f'{{"code":"shop/sale_1","name":"{name}","agents":[],"countMax":3,"valueMin":0.1,"valueMax":1000}}'
    )
    assert goals(post)["shop/sale_1"].value_max == 1000


def test_a_code_is_encoded_whole(post: Post) -> None:
    """It may hold slashes, which are no part of the path."""
    post.send(TARGET, **{**NEW, "code": "shop/sale"})
    assert post.last.target == "/admin/acc-xxxxxx/goals/goal/shop%2Fsale"
    assert "shop/sale" in goals(post)


def test_a_delete_and_one_too_many(post: Post) -> None:
    """Without a body; a goal that is not there is what was wished for."""
    post.send(TARGET, **NEW)
    outcome = post.send(TARGET, **{**NEW, "deleted": True})
    assert (post.last.method, post.last.target, post.last.body) == ("DELETE", PATH, b"")
    assert (outcome.status, outcome.reason, goals(post)) == ("sent", None, {})
    for errors in ("http", "body"):
        post.sandbox.conductrics.variants = Variants(errors=errors)
        again = post.send(TARGET, code=NEW["code"], deleted=True)
        assert (again.status, again.reason) == ("sent", "it was gone already (404)")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"code": None}, "code is missing"),
        ({"code": "a b"}, "code may hold letters"),
        ({"code": "é"}, "code may hold letters"),
        ({"code": "a" * 101}, "up to 100 characters"),
        ({"code": "..", "deleted": True}, "code is no code"),
        ({"name": "n" * 51}, "name must have 1 to 50 characters"),
        ({"name": ""}, "name must have 1 to 50 characters"),
        ({"agents": "a-1"}, "agents is not JSON"),
        ({"agents": '{"a": 1}'}, "agents is no list of texts"),
        ({"agents": [1]}, "agents is no list of texts"),
        ({"count_max": 0}, "count_max must be a positive whole number"),
        ({"count_max": Decimal("1.5")}, "count_max is no whole number"),
        ({"value_min": 1}, "value_min and value_max must be given together"),
        ({"value_max": 1}, "value_min and value_max must be given together"),
        ({"value_min": 2, "value_max": 2}, "value_max must be greater than value_min"),
        ({"deleted": "perhaps"}, "deleted is neither true nor false"),
        ({"name": None, "agents": None}, "nothing to put"),
    ],
)
def test_the_documented_limits_come_first(post: Post, row: dict[str, Any], why: str) -> None:
    """Each with its sentence, and without a request."""
    with pytest.raises(RowRefusedError, match=why):
        post.send(TARGET, **{**NEW, **row})
    assert post.sandbox.requests == []


@pytest.mark.parametrize("name", ["code", "name"])
def test_the_longest_that_may_be(post: Post, name: str) -> None:
    """A hundred characters of a code, fifty of a name."""
    longest = {"code": "a" * 100, "name": "n" * 50}
    assert post.send(TARGET, **{**NEW, name: longest[name]}).status == "sent"


def test_the_plan_says_what_a_list_of_agents_takes_away() -> None:
    """`agents` replaces the whole list; so does a delete."""
    warnings = targets()[TARGET].warnings
    known = {
        "conductrics.goal_agents": [
            {"code": "g", "agent": "a-2"},
            {"code": "g", "agent": "a-1"},
            {"code": "other", "agent": "a-9"},
        ]
    }
    assert targets()[TARGET].reads == ("conductrics.goal_agents",)
    assert list(warnings({"code": "g", "agents": ["a-3"]}, known)) == [
        "goal g loses the agents a-1, a-2: agents replaces the whole list"
    ]
    assert list(warnings({"code": "g", "agents": '["a-1"]'}, known)) == [
        "goal g loses the agent a-2: agents replaces the whole list"
    ]
    assert list(warnings({"code": "g", "agents": ["a-1", "a-2", "a-3"]}, known)) == []
    assert list(warnings({"code": "g", "name": "x"}, known)) == list(warnings({"code": "g"}, {})) == []
    assert list(warnings({"code": "g", "deleted": True}, known)) == [
        "goal g is deleted, and leaves the agents a-1, a-2"
    ]
    assert list(warnings({"code": "new", "deleted": True}, known)) == ["goal new is deleted"]
    assert list(warnings({"code": "g", "agents": "no json"}, known)) == []


@pytest.mark.parametrize("errors", ["http", "body"])
def test_a_refusal_is_the_rows_reason(post: Post, errors: Any) -> None:
    """By HTTP's status, or by the body's alone."""
    post.sandbox.conductrics.variants = Variants(errors=errors)
    outcome = post.send(TARGET, code="new", name="no agents yet")
    assert (outcome.status, outcome.reason) == ("rejected", "refused (400): code is required")


@pytest.mark.parametrize(
    ("status", "error"), [(401, CredentialsError), (429, UnavailableError), (500, UnavailableError)]
)
def test_the_bodys_own_status_counts(post: Post, status: int, error: type[VendorError]) -> None:
    """HTTP says 200 all the while."""
    post.sandbox.conductrics.variants = Variants(body_status=status)
    with pytest.raises(error):
        post.send(TARGET, **NEW)


@pytest.mark.parametrize("written", ["goal", "status", "empty"])
def test_any_2xx_is_accepted(post: Post, written: Any) -> None:
    """The document shows no answer to a PUT or a DELETE."""
    post.sandbox.conductrics.variants = Variants(written=written)
    assert post.send(TARGET, **NEW).status == "sent"
    assert post.send(TARGET, code=NEW["code"], deleted="true").status == "sent"


def test_a_wrong_account_or_key_stops(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Unauthorized", as the document says."""
    monkeypatch.setenv("CONDUCTRICS_API_KEY", "admin-wrong")
    with pytest.raises(CredentialsError, match="conductrics_api_key"):
        post.send(TARGET, **NEW)


def test_a_page_deletes_nothing(post: Post) -> None:
    """A 404 that is a web page is a wrong address, not a goal that is gone."""
    post.sandbox.faults.add(Fault(html=True, status=404))
    with pytest.raises(InvalidResponseError, match="conductrics_url"):
        post.send(TARGET, code="g", deleted=True)


def test_only_a_delete_is_content_with_404(post: Post) -> None:
    """A PUT creates what is not there: one that finds nothing was not taken."""
    post.sandbox.faults.add(Fault(status=404, body=b'{"status":404,"error":"Not Found"}'))
    outcome = post.send(TARGET, **NEW)
    assert (outcome.status, outcome.reason) == ("rejected", "refused (404): Not Found")


@pytest.mark.parametrize("status", [409, 422])
def test_a_conflict_is_no_duplicate(post: Post, status: int) -> None:
    """Nothing of a PUT can be there already: it replaces."""
    post.sandbox.faults.add(Fault(status=status))
    assert post.send(TARGET, **NEW).status == "rejected"


def test_put_and_delete_may_be_repeated(post: Post) -> None:
    """After a lost answer the same request comes to the same."""
    target, settings = targets()[TARGET], settings_of(TARGET)
    for row in (NEW, {**NEW, "deleted": True}):
        assert target.is_idempotent(row, settings)
        assert target.is_updatable(row, settings)
        post.sandbox.faults.add(Fault(taken=True, reset_after=0, times=1))
        with pytest.raises(UnavailableError):
            post.send(TARGET, **row)
        assert post.send(TARGET, **row).status == "sent"
    assert goals(post) == {}
    assert target.group(NEW) == "g-Nd40yzQjDf"
