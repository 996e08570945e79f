"""What is not believed: a list that is suddenly empty, a status in the body, a goal that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conversync.errors import SettingsError, VendorError
from conversync.sandbox import Fault
from conversync.sandbox.faults import LOGIN_PAGE
from conversync.settings.lookup import resolve
from conversync.vendors import vendors
from sources.conductrics import ConductricsSettings
from sources.conductrics.asking import Listed
from tests.conductrics.conftest import goal
from tests.conductrics.test_goals import goals_held, history_held
from tests.houses import VendorWorkspace, readme_script, run_script
from tests.support import command, tables

README = Path(__file__).parents[2] / "sources" / "conductrics" / "README.md"
LIST = "/admin/acc-xxxxxx/goals"
EMPTY = (
    "Conductrics lists no goals any more, where 2 were known; nothing was changed. "
    "If they are really gone, say so with --accept-empty."
)
KEY = "Check conductrics_api_key in .dlt/secrets.toml or CONDUCTRICS_API_KEY."


def read(house: VendorWorkspace) -> Listed:
    """The goals over HTTP, without a load."""
    with house.set():
        settings = resolve(ConductricsSettings, "conductrics")
    with settings.access().client(0) as client:
        return settings.access().goals(client, lambda _received, _announced: None)


def codes(house: VendorWorkspace) -> set[str]:
    return {code for [code] in house.query("select code from conductrics.goals")}


def test_a_list_that_is_empty_once_is_looked_at_again(house: VendorWorkspace) -> None:
    """The second look finds the goals, and nothing changed."""
    house.load()
    before, asked = tables(house.path, "conductrics"), len(house.sandbox.requests)
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="once")
    house.load()
    assert tables(house.path, "conductrics") == before
    assert len(house.asked("/goals", asked)) == 2


def test_a_list_that_stays_empty_is_refused_until_a_person_says_so(house: VendorWorkspace) -> None:
    """Exit 6 and every row as it was; with --accept-empty the goals leave, and their history is closed."""
    house.load()
    before = tables(house.path, "conductrics")
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="always")
    refused = house.run()
    assert (str(refused.error), refused.exit_code) == (EMPTY, 6)
    assert tables(house.path, "conductrics") == before

    house.load(accept_empty=True)
    assert codes(house) == set()
    assert house.query("select * from conductrics.goal_agents") == []
    assert [open_ for versions in history_held(house).values() for _, open_ in versions] == [False, False]

    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="never")
    house.load()
    assert codes(house) == {"g-1", "shop/sale"}


def test_goals_that_disappear_after_the_list(house: VendorWorkspace) -> None:
    """One whose detail is a 404 is gone, and no error; a detail address that knows none at all empties nothing."""
    house.load()
    vendor = house.sandbox.conductrics
    vendor.variants = replace(vendor.variants, vanishing=frozenset({"g-1", "shop/sale"}))
    assert str(house.run().error) == EMPTY
    assert codes(house) == {"g-1", "shop/sale"}
    vendor.variants = replace(vendor.variants, vanishing=frozenset({"shop/sale"}), errors="body")
    assert house.load().exit_code == 0
    assert codes(house) == {"g-1"}
    assert [open_ for _, open_ in history_held(house)["shop/sale"]] == [False]


def test_an_account_without_goals_is_an_account_without_goals(house: VendorWorkspace) -> None:
    """A first run that finds none makes empty tables and ends with 0."""
    house.sandbox.conductrics.rows = []
    house.load()
    assert house.query("select count(*) from conductrics.goals") == [(0,)]
    assert house.query("select count(*) from conductrics.goal_history") == [(0,)]


def test_agents_are_as_little_believed_to_be_none(house: VendorWorkspace) -> None:
    """An empty list refuses the night, goals and all. No list at all (404) leaves the table alone, and is told."""
    house.load()
    house.sandbox.conductrics.agent_rows = []
    house.sandbox.conductrics.rows = [goal("g-1")]
    assert "Conductrics lists no agents any more, where 1 were known" in str(house.run().error)
    assert codes(house) == {"g-1", "shop/sale"}
    house.sandbox.faults.add(Fault(path="*/agents", status=404))
    house.load()
    assert codes(house) == {"g-1"}
    assert house.query("select code, name from conductrics.agents") == [("a-1", "Home")]
    note = "Conductrics has no list of agents at this address (404); the table was left as it is."
    notes = house.query("select note from conductrics.windows where stream = 'agents' order by read_at")
    assert notes == [(None,), (note,)]


@pytest.mark.quick(5)
@pytest.mark.parametrize(
    ("document", "code", "sentence"),
    [
        ({"status": 401, "data": []}, 5, f"Conductrics refused the API key (401). {KEY}"),
        ({"status": 403, "error": "No"}, 5, f"Conductrics refused the API key (403: No). {KEY}"),
        ({"status": "401", "data": []}, 5, f"Conductrics refused the API key (401). {KEY}"),
        (
            {"status": 503, "message": "Later."},
            6,
            "Conductrics cannot answer now (503: Later): try again later.",
        ),
        ({"status": 418, "data": []}, 6, "an error instead of data (418): try again later."),
        ({"status": None, "data": []}, 6, "a status that is no number."),
        (
            {"status": 404, "data": []},
            6,
            "does not know the goals of this account (404): check conductrics_account",
        ),
        (
            {"status": 400, "error": "Key admin-sandboxkey?"},
            6,
            "refused what was asked (400: Key ***?): check conductrics_account.",
        ),
        ({"status": 200, "data": None}, 6, "holds no list of rows under 'data'"),
        ({"status": 200}, 6, "holds no list of rows under 'data'"),
        ({"error": "x"}, 6, "an error instead of data (200: x): try again later."),
        ({"error": "Unknown account", "data": []}, 6, "an error instead of data (200: Unknown account)"),
        (
            {"errors": ["x"], "status": 200, "data": []},
            6,
            "an error instead of data (200: x): try again later.",
        ),
        ({"success": False, "data": []}, 6, "an error instead of data (200): try again later."),
    ],
)
def test_h12_the_bodys_own_status_counts(
    house: VendorWorkspace, document: Any, code: int, sentence: str
) -> None:
    """HTTP says 200 and the body something else: never an empty list, and the key is in no sentence."""
    house.sandbox.faults.add(Fault(path=LIST, status=200, body=json.dumps(document).encode()))
    with pytest.raises(VendorError) as caught:
        read(house)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == code
    assert house.sandbox.conductrics.api_key not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        (Fault(status=401), 5, f"Conductrics refused the API key (401: Unauthorized). {KEY}"),
        (Fault(path=LIST, status=404), 6, "does not know the goals of this account (404)"),
        (Fault(path=LIST, html=True), 6, "a web page instead of data"),
        (Fault(path=f"{LIST}/goal/*", status=404, body=LOGIN_PAGE), 6, "a web page instead of data"),
        (
            Fault(path=f"{LIST}/goal/*", status=200, body=b'{"status": 200, "data": {}}'),
            6,
            "without the goal",
        ),
        (
            Fault(status=503),
            6,
            "Conductrics failed at GET /admin/acc-xxxxxx/goals (503: Service Unavailable): try again later.",
        ),
    ],
)
def test_what_cannot_be_trusted_is_a_sentence(
    house: VendorWorkspace, fault: Fault, code: int, sentence: str
) -> None:
    """Who refused what, and the way out; nothing of it is taken for an empty list, or a deleted goal."""
    house.sandbox.faults.add(fault)
    with pytest.raises(VendorError) as caught:
        read(house)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == code
    assert fault.delivered >= 1


def test_a_run_that_fails_loads_nothing_and_the_next_one_is_right(house: VendorWorkspace) -> None:
    """The list comes, and no detail does: the tables are as they were; then everything."""
    house.load()
    before = tables(house.path, "conductrics")
    house.sandbox.conductrics.rows = [goal("g-1", "Renamed"), goal("g-2")]
    house.sandbox.faults.add(Fault(path=f"{LIST}/goal/*", status=503))
    report = house.run()
    assert (report.exit_code, report.steps) == (6, [])
    assert tables(house.path, "conductrics") == before
    house.sandbox.faults.clear()
    house.load()
    assert codes(house) == {"g-1", "g-2"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (goal("g-1", countMax="often"), "countMax is not a whole number"),
        (goal("g-1", agents="a-1"), "agents is not a list"),
        (goal("g-1", agents=["a-1", 7]), "agents holds something other than codes"),
        (goal("g-1", valueMin="1,5"), "valueMin is not a number"),
        ('{"code": "g-1", "name": "A", "name": "B", "agents": []}', "the key name stands twice"),
        (goal("g-1", NAME="B"), "the key name stands twice, in different letters"),
    ],
)
def test_a_goal_that_cannot_be_read_is_set_aside_with_its_reason(
    house: VendorWorkspace, row: Any, reason: str
) -> None:
    """The others are read; it is among them as one that is still there."""
    spoil(house, row)
    found = read(house)
    assert [one.reason for one in found.rejected] == [reason]
    assert ([one["code"] for one in found.rows], found.stands_for("g-1")) == (["shop/sale"], True)


def test_a_goal_that_cannot_be_read_stays_as_it_was(house: VendorWorkspace) -> None:
    """It is told once, and neither deleted nor closed in its history, nor is an earlier version opened again."""
    house.sandbox.conductrics.rows = [goal("g-1", "Setup"), goal("shop/sale", "Sale")]
    house.load()
    house.sandbox.conductrics.rows = [goal("g-1"), goal("shop/sale", "Sale")]
    house.load()
    first = goals_held(house)["g-1"]
    house.sandbox.conductrics.rows = [goal("g-1"), goal("shop/sale", "Renamed")]
    spoil(house, goal("g-1", countMax="often"))
    report = house.run()
    assert (report.error, report.exit_code) == (None, 3)
    assert house.query("select reason from conductrics.rejected_rows") == [
        ("countMax is not a whole number",)
    ]
    assert goals_held(house)["g-1"] == first
    assert [(version.name, open_) for version, open_ in history_held(house)["g-1"]] == [
        ("Setup", False),
        ("Install", True),
    ]
    assert [version.name for version, _ in history_held(house)["shop/sale"]] == ["Sale", "Renamed"]
    before = tables(house.path, "conductrics")
    again = house.run()
    assert (again.exit_code, again.known_rejected) == (0, 1)
    assert tables(house.path, "conductrics") == before


def test_f03_a_goal_that_is_mended_is_resolved(house: VendorWorkspace) -> None:
    """The list is read whole each night: what it does not bring any more is open no more."""
    house.sandbox.conductrics.rows = [goal("g-1"), goal("shop/sale", "Sale")]
    spoil(house, goal("g-1", countMax="often"))
    assert house.run().exit_code == 3
    house.sandbox.faults.clear()
    mended = house.load()
    assert mended.known_rejected == 0
    assert house.query("select count(*), count(resolved_at) from conductrics.rejected_rows") == [(1, 1)]


def spoil(house: VendorWorkspace, row: Any) -> None:
    """The list is right; the detail of g-1 is `row`."""
    body = row if isinstance(row, str) else json.dumps(row)
    answer = f'{{"status": 200, "data": {body}}}'.encode()
    house.sandbox.faults.add(Fault(path=f"{LIST}/goal/g-1", status=200, body=answer))


@pytest.mark.parametrize(
    "row", ['{"name": "Sale"}', '{"code": ""}', "7", "null", '{"code": "g-1", "code": "g-2"}']
)
def test_a_goal_without_a_code_may_be_any(house: VendorWorkspace, row: str) -> None:
    """It is set aside, and whatever the list does not name may be what it was."""
    nameless(house, row)
    found = read(house)
    assert (len(found.rejected), [one["code"] for one in found.rows]) == (1, ["g-3"])
    assert found.stands_for("shop/sale")
    assert not found.stands_for("g-3")


def test_a_goal_without_a_code_lets_none_leave(house: VendorWorkspace) -> None:
    """What is missing from the list stays in all tables, and what is new is added."""
    house.load()
    nameless(house, '{"name": "Sale"}')
    report = house.run()
    assert (report.error, report.exit_code, report.total("rejected_new")) == (None, 3, 1)
    assert codes(house) == {"g-1", "g-3", "shop/sale"}
    assert all(versions[-1][1] for versions in history_held(house).values())


def nameless(house: VendorWorkspace, row: str) -> None:
    """The list is `row` and g-3."""
    listed = f'{{"status": 200, "data": [{row}, {json.dumps(goal("g-3"))}]}}'
    house.sandbox.conductrics.rows = [goal("g-3")]
    house.sandbox.faults.add(Fault(path=LIST, status=200, body=listed.encode()))


def test_check_looks_at_the_list_alone(house: VendorWorkspace) -> None:
    """One request; how many goals there are, and what would be set aside."""
    house.sandbox.conductrics.rows = [goal("g-1"), {"name": "Sale"}]
    vendor = vendors()["conductrics"]
    with house.set():
        findings = list(vendor.check(resolve(vendor.settings, "conductrics")))
    assert findings == [
        (True, "reached, and let in: 2 goals"),
        (False, "a goal would be set aside: code is missing"),
        (
            True,
            "complete by one page: each list comes whole in one answer, and an empty one is asked for twice",
        ),
    ]
    assert [request.path for request in house.sandbox.requests] == [LIST]


def test_the_readmes_script_runs_as_it_stands(house: VendorWorkspace) -> None:
    """Five lines of dlt, with the settings in the environment."""
    run_script(readme_script(README), house.folder, house.environment)
    with duckdb.connect(str(house.folder / "goals.duckdb"), read_only=True) as alone:
        goals = alone.execute("select code, name, count_max from conductrics.goals order by code").fetchall()
        history = alone.execute(
            "select code, agents, valid_to from conductrics.goal_history order by code"
        ).fetchall()
    assert goals == [("g-1", "Install", 1), ("shop/sale", "Sale", 1)]
    assert history == [("g-1", '["a-1"]', None), ("shop/sale", '["a-1","a-2"]', None)]


@pytest.mark.more
def test_the_command_takes_accept_empty(house: VendorWorkspace) -> None:
    """`conversync load conductrics --accept-empty`, in a process of its own; the key is in no output."""
    house.load()
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="always")
    arguments = ("load", "conductrics", "--accept-empty", "--debug")
    done = command(*arguments, cwd=house.folder, environment=house.environment)
    assert done.code == 0, done.err
    assert codes(house) == set()
    assert house.sandbox.conductrics.api_key not in done.out + done.err


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CONDUCTRICS_ACCOUNT", " ", "conductrics_account is empty"),
        ("CONDUCTRICS_API_KEY", "a\nb", "holds a line break"),
        ("CONDUCTRICS_URL", "http://example.com", "plain http"),
    ],
)
def test_settings_that_cannot_be_meant_cost_no_request(
    house: VendorWorkspace, name: str, value: str, sentence: str
) -> None:
    """One sentence that names the setting."""
    house.settings[name] = value
    with pytest.raises(SettingsError, match=sentence):
        read(house)
    assert house.sandbox.requests == []


def test_f05_a_list_that_lost_some_of_its_goals_is_a_list(house: VendorWorkspace) -> None:
    """It comes as an object with digit keys: the same goals."""
    house.load()
    before = tables(house.path, "conductrics")

    def filtered(document: Any, _query: object) -> Any:
        return {**document, "data": {str(3 * number): row for number, row in enumerate(document["data"])}}

    fault = house.sandbox.faults.add(Fault(path=LIST, mutate=filtered))
    house.load()
    assert fault.delivered == 1
    assert tables(house.path, "conductrics") == before


def test_f06_a_goal_with_empty_lists_for_nothing_is_read(house: VendorWorkspace) -> None:
    """And with a count that is written with a point; what was empty is kept beside, and is no news."""
    spoil(house, goal("g-1", countMax=2.0, valueMin=[], agents={}))
    found = read(house)
    assert (found.rejected, found.unknown) == ([], {})
    [row] = [one for one in found.rows if one["code"] == "g-1"]
    assert (row["count_max"], row["value_min"], row["agents"]) == (2, None, [])
    assert json.loads(row["extra"]) == {"valueMin": [], "agents": {}}
