"""What is not believed: a list that is suddenly empty, a status in the body, a goal that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.settings import resolve
from pipelines.vendors import vendors
from sandbox import Fault
from sandbox.faults import LOGIN_PAGE
from tests.conductrics.conftest import goal
from tests.conductrics.test_goals import goals_held, history_held
from tests.houses import VendorHouse, readme_script, run_script
from tests.support import command, tables

README = Path(__file__).parents[2] / "sources" / "conductrics" / "README.md"
LIST = "/admin/acc-xxxxxx/goals"
EMPTY = (
    "Conductrics lists no goals any more, where 2 were known; nothing was changed. "
    "If they are really gone, say so with --accept-empty."
)
KEY = "Check conductrics_api_key in .dlt/secrets.toml or CONDUCTRICS_API_KEY."


def codes(house: VendorHouse) -> set[str]:
    return {code for [code] in house.query("select code from conductrics.goals")}


def test_a_list_that_is_empty_once_is_looked_at_again(house: VendorHouse) -> None:
    """The second look finds the goals, and nothing changed."""
    house.load()
    before, asked = tables(house.path, "conductrics"), len(house.sandbox.requests)
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="once")
    house.load()
    assert tables(house.path, "conductrics") == before
    assert len(house.asked("/goals", asked)) == 2


def test_a_list_that_stays_empty_is_refused_until_a_person_says_so(house: VendorHouse) -> None:
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


def test_goals_that_are_all_gone_after_the_list_are_an_empty_list(house: VendorHouse) -> None:
    """A detail address that answers 404 for everything does not empty the table."""
    house.load()
    vanishing = frozenset({"g-1", "shop/sale"})
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, vanishing=vanishing)
    assert str(house.run().error) == EMPTY
    assert codes(house) == vanishing


def test_an_account_without_goals_is_an_account_without_goals(house: VendorHouse) -> None:
    """A first run that finds none makes empty tables and ends with 0, and so does the next."""
    house.sandbox.conductrics.rows = []
    for _ in range(2):
        house.load()
        assert house.query("select count(*) from conductrics.goals") == [(0,)]
        assert house.query("select count(*) from conductrics.goal_history") == [(0,)]


def test_agents_that_are_suddenly_none_are_refused_too(house: VendorHouse) -> None:
    """The goals of that night do not load either: one night, one commit."""
    house.load()
    house.sandbox.conductrics.agent_rows = []
    house.sandbox.conductrics.rows = [goal("g-1")]
    assert "Conductrics lists no agents any more, where 1 were known" in str(house.run().error)
    assert codes(house) == {"g-1", "shop/sale"}


def test_without_a_list_of_agents_the_goals_load(house: VendorHouse) -> None:
    """The goals' document does not promise one: a 404 leaves the table as it is, and the run says so."""
    house.load()
    house.sandbox.faults.add(Fault(path="*/agents", status=404))
    report = house.load()
    assert house.query("select code, name from conductrics.agents") == [("a-1", "Home")]
    note = "Conductrics has no list of agents at this address (404); the table was left as it is."
    assert house.query("select note from conductrics.windows where stream = 'agents' order by read_at desc")[
        0
    ] == (note,)
    assert report.error is None


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
            "refused what was asked (400): check conductrics_account.",
        ),
        ({"status": 200, "data": None}, 6, "holds no list of rows under 'data'"),
        ({"status": 200}, 6, "holds no list of rows under 'data'"),
        ({"error": "x"}, 6, "holds no list of rows under 'data'"),
    ],
)
def test_h12_the_bodys_own_status_counts(house: VendorHouse, document: Any, code: int, sentence: str) -> None:
    """HTTP says 200 and the body something else: never an empty list, and the key is in no sentence."""
    house.sandbox.faults.add(Fault(path=LIST, status=200, body=json.dumps(document).encode()))
    report = house.run()
    assert sentence in str(report.error)
    assert report.exit_code == code
    assert house.sandbox.conductrics.api_key not in str(report.error)
    assert report.steps == []


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        (Fault(status=401), 5, f"Conductrics refused the API key (401). {KEY}"),
        (Fault(path=LIST, status=404), 6, "does not know the goals of this account (404)"),
        (Fault(path=LIST, html=True), 6, "a web page instead of data"),
        (Fault(path=f"{LIST}/goal/*", status=404, body=LOGIN_PAGE), 6, "a web page instead of data"),
        (
            Fault(path=f"{LIST}/goal/*", status=200, body=b'{"status": 200, "data": {}}'),
            6,
            "without the goal",
        ),
        (Fault(status=503), 6, "Conductrics failed at GET /admin/acc-xxxxxx/goals (503): try again later."),
    ],
)
def test_a_fault_loads_nothing_and_the_next_run_is_right(
    house: VendorHouse, fault: Fault, code: int, sentence: str
) -> None:
    """One sentence, an exit code, and the tables as they were; then everything."""
    house.load()
    before = tables(house.path, "conductrics")
    house.sandbox.conductrics.rows = [goal("g-1", "Renamed"), goal("g-2")]
    house.sandbox.faults.add(fault)
    report = house.run()
    assert sentence in str(report.error)
    assert (report.exit_code, report.steps) == (code, [])
    assert fault.delivered >= 1
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
def test_a_goal_that_cannot_be_read_stays_as_it_was(house: VendorHouse, row: Any, reason: str) -> None:
    """It is set aside with its reason, told once, and neither deleted nor closed; the others go on."""
    house.load()
    first = goals_held(house)["g-1"]
    code = goal("g-1") if isinstance(row, str) else {**row, "agents": ["a-1"]}
    house.sandbox.conductrics.rows = [code, goal("shop/sale", "Renamed")]
    body = row if isinstance(row, str) else json.dumps(row)
    house.sandbox.faults.add(
        Fault(path=f"{LIST}/goal/g-1", status=200, body=f'{{"status": 200, "data": {body}}}'.encode())
    )
    report = house.run()
    assert (report.error, report.exit_code) == (None, 3)
    assert house.query("select reason from conductrics.rejected_rows") == [(reason,)]
    assert goals_held(house)["g-1"] == first
    assert history_held(house)["g-1"] == [(first, True)]
    assert [version.name for version, _ in history_held(house)["shop/sale"]] == ["Sale", "Renamed"]
    before = tables(house.path, "conductrics")
    again = house.run()
    assert (again.exit_code, again.known_rejected) == (0, 1)
    assert tables(house.path, "conductrics") == before


@pytest.mark.parametrize(
    "row", ['{"name": "Sale"}', '{"code": ""}', "7", "null", '{"code": "g-1", "code": "g-2"}']
)
def test_a_goal_without_a_code_lets_none_leave(house: VendorHouse, row: str) -> None:
    """Whatever it was, it may be any of those that are missing: they stay, and what is new is added."""
    house.load()
    listed = f'{{"status": 200, "data": [{row}, {json.dumps(goal("g-3"))}]}}'
    house.sandbox.conductrics.rows = [goal("g-3")]
    house.sandbox.faults.add(Fault(path=LIST, status=200, body=listed.encode()))
    report = house.run()
    assert (report.error, report.exit_code, report.total("rejected_new")) == (None, 3, 1)
    assert codes(house) == {"g-1", "g-3", "shop/sale"}
    assert all(versions[-1][1] for versions in history_held(house).values())


def test_check_looks_at_the_list_alone(house: VendorHouse) -> None:
    """One request; how many goals there are, and what would be set aside."""
    house.sandbox.conductrics.rows = [goal("g-1"), {"name": "Sale"}]
    vendor = vendors()["conductrics"]
    with house.set():
        findings = list(vendor.check(resolve(vendor.settings, "conductrics")))
    assert findings == [
        (True, "reached, and let in: 2 goals"),
        (False, "a goal would be set aside: code is missing"),
    ]
    assert [request.path for request in house.sandbox.requests] == [LIST]


def test_the_readmes_script_runs_as_it_stands(house: VendorHouse) -> None:
    """Five lines of dlt, with the settings in the environment, make the same tables; twice changes nothing."""
    house.load()
    query = "select columns(c -> c not like '\\_dlt%' escape '\\') from conductrics.goals order by all"
    for _ in range(2):
        run_script(readme_script(README), house.folder, house.environment)
        with duckdb.connect(str(house.folder / "goals.duckdb"), read_only=True) as alone:
            assert alone.execute(query).fetchall() == house.query(query)
            assert alone.execute("select count(*) from conductrics.goal_history").fetchall() == [(2,)]


def test_the_command_takes_accept_empty(house: VendorHouse) -> None:
    """`conversync load conductrics`: refused with 6, then done with `--accept-empty`; the key is in no output."""
    house.load()
    house.sandbox.conductrics.variants = replace(house.sandbox.conductrics.variants, empty="always")
    refused = command("load", "conductrics", "--debug", cwd=house.folder, environment=house.environment)
    assert refused.code == 6
    assert EMPTY in refused.out
    done = command("load", "conductrics", "--accept-empty", cwd=house.folder, environment=house.environment)
    assert done.code == 0, done.err
    assert codes(house) == set()
    assert house.sandbox.conductrics.api_key not in refused.out + refused.err + done.out + done.err


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CONDUCTRICS_ACCOUNT", " ", "conductrics_account is empty"),
        ("CONDUCTRICS_API_KEY", "a\nb", "holds a line break"),
        ("CONDUCTRICS_URL", "http://example.com", "plain http"),
    ],
)
def test_settings_that_cannot_be_meant_cost_no_request(
    house: VendorHouse, name: str, value: str, sentence: str
) -> None:
    """One sentence that names the setting, and exit code 2."""
    house.settings[name] = value
    try:
        error = house.run().error
    except Exception as raised:  # noqa: BLE001 - either way is the command's exit code 2
        error = raised
    assert sentence in str(error)
    assert getattr(error, "exit_code", None) == 2
    assert house.sandbox.requests == []
