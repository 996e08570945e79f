"""M06: what is wrong with the tables is told by the load itself and by `verify`, and `verify --repair` mends it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from conversync.sandbox import Fault
from tests.besitos.rows import reversal, row
from tests.health.support import Workspace, change, run
from tests.support import held, sometimes

DAYS = ("--from", "2024-12-03", "--to", "2024-12-06")
TWICE = """
    insert into besitos.conversion_events
    select * from besitos.conversion_events where valid_to is null and transaction_id in (1, 3)
"""
EVENTS = "select * from besitos.conversion_events order by all"


@pytest.fixture
def loaded(house: Workspace) -> Workspace:
    """Three conversions and a reversal within the days, and a view over them."""
    house.sandbox.besitos.rows = [row(1), row(2, payout=0.1), row(3), reversal(3)]
    house.load("2024-12-01", "2024-12-08")
    return house


# What takes an original back is named by its time, too.
REVERSAL = "3:reversal:2024-12-06 09:00:00:40.000000"
SAID = {"1:original": [11.05], "2:original": [0.1], "3:original": [11.05], REVERSAL: [11.05]}


def said(house: Workspace) -> dict[str, list[float]]:
    """By event, the payouts of its statements, each following the one before; the last is open."""
    return {key: [float(one.payout or 0) for one in told] for key, told in held(house.path).items()}


@pytest.mark.more
def test_m06_verify_ends_with_3_on_every_inequality_that_it_prints(loaded: Workspace) -> None:
    """Statements that stand twice are differences, in the JSON too, whatever the rows say."""
    change(loaded, TWICE)
    shown = run(loaded, "verify", "besitos", *DAYS)
    assert shown.code == 3
    assert "NOT EQUAL" in shown.out
    assert "says what the vendor says" not in shown.out
    assert "besitos.conversion_events 1:original: several times here" in shown.out
    assert "verify besitos --repair" in shown.out
    document = run(loaded, "verify", "besitos", *DAYS, "--json")
    [table] = json.loads(document.out)["sources"][0]["tables"]
    assert (document.code, table["count"], table["kinds"]) == (3, 3, {"several times here": 3})


BROKEN: dict[str, tuple[str, str]] = {
    "all": (
        f"{TWICE}; delete from besitos.conversion_events where transaction_id = 2; drop view besitos.conversions",
        "had several open rows",
    ),
    "doubled": (TWICE, "3 events of conversion_events had several open rows"),
    "doubled-apart": (
        TWICE.replace("*", "* replace (statement_hash || 'x' as statement_hash, payout + 1 as payout)", 1),
        "3 events of conversion_events had several open rows",
    ),
    "short": (
        "delete from besitos.conversion_events where transaction_id = 2",
        "for 1 rows that were missing",
    ),
    "bent": (
        "update besitos.conversion_events set payout = 7, statement_hash = 'x' where transaction_id = 2",
        "for 1 rows that were missing or different",
    ),
    "altered": (
        "update besitos.conversion_events set payout = 7 where transaction_id = 2",
        "1 rows of conversion_events had been changed in place",
    ),
    "altered-day": (
        "update besitos.conversion_events set occurred_on = occurred_on + 1 where transaction_id = 2",
        "1 rows of conversion_events had been changed in place",
    ),
    "view": ("drop view besitos.conversions", "the view conversions was made"),
}


@pytest.mark.more
@pytest.mark.parametrize("case", sometimes(*BROKEN, quick=1, ids=str))
def test_m06_repair_mends_what_verify_finds(loaded: Workspace, case: str) -> None:
    """It says what it did; `verify` afterwards is equal, the next night is well, and the sums are the oracle's."""
    broken, words = BROKEN[case]
    change(loaded, broken)
    assert run(loaded, "verify", "besitos", *DAYS).code == 3
    mended = run(loaded, "verify", "besitos", *DAYS, "--repair")
    assert mended.code == 0, mended.told
    assert words in mended.out
    assert "the warehouse says what the vendor says" in run(loaded, "verify", "besitos", *DAYS).out
    loaded.load("2024-12-01", "2024-12-08")
    expected = SAID | ({"2:original": [7, 0.1]} if case in ("bent", "altered") else {})
    expected |= {"2:original": [0.1, 0.1]} if case == "altered-day" else {}
    if case == "doubled-apart":  # what somebody wrote is history now, as it stood beside what was right
        expected |= {key: [SAID[key][0] + 1, *SAID[key]] for key in ("1:original", "3:original", REVERSAL)}
    assert said(loaded) == expected


@pytest.mark.more
def test_m06_an_amount_that_was_altered_under_its_hash_is_found_and_mended(loaded: Workspace) -> None:
    """Named with its column, by its contents; what may be written otherwise and states the same is no difference."""
    change(
        loaded,
        "update besitos.conversion_events set user_id = upper(user_id), currency = 'USD' where transaction_id = 1; "
        "update besitos.conversion_events set payout = 7 where transaction_id = 2",
    )
    shown = run(loaded, "verify", "besitos", *DAYS, "--json")
    [table] = json.loads(shown.out)["sources"][0]["tables"]
    assert (shown.code, table["kinds"]) == (3, {"different": 1})
    [difference] = table["differences"]
    assert (difference["key"], difference["columns"]) == ("2:original", ["payout"])
    mended = run(loaded, "verify", "besitos", *DAYS, "--repair")
    assert mended.code == 0, mended.told
    assert said(loaded) == SAID | {"2:original": [7, 0.1]}
    assert run(loaded, "verify", "besitos", *DAYS).code == 0


@pytest.mark.more
def test_m06_repair_is_all_or_nothing(loaded: Workspace) -> None:
    """The vendor fails while days are read again: the doubled statements stay, too, and the file is as it was."""
    change(loaded, f"{TWICE}; delete from besitos.conversion_events where transaction_id = 2")
    before, asked = loaded.query(EVENTS), len(loaded.sandbox.requests)
    run(loaded, "verify", "besitos", *DAYS)
    once = len(loaded.sandbox.requests) - asked
    failing: Callable[[object], bool] = lambda _: len(loaded.sandbox.requests) > asked + 2 * once  # noqa: E731
    fault = loaded.sandbox.faults.add(Fault(status=500, where=failing))
    failed = run(loaded, "verify", "besitos", *DAYS, "--repair", HTTP_BUDGET="0")
    failed.refused(6, "besitos: Reversals of", "Besitos failed at GET")
    assert fault.delivered
    assert loaded.query(EVENTS) == before
    loaded.sandbox.faults.clear()
    assert run(loaded, "verify", "besitos", *DAYS, "--repair").code == 0


def test_m06_repair_makes_no_warehouse(house: Workspace) -> None:
    """Where there is none, exit 2 and nothing on the disk."""
    run(house, "verify", "besitos", "--repair").refused(2, "There is no warehouse")
    assert not house.path.exists()


@pytest.mark.more
def test_m06_repair_leaves_what_the_vendor_serves_no_more(loaded: Workspace) -> None:
    """It stays, is told, and costs exit 3; nothing else differs."""
    loaded.sandbox.besitos.rows = [row(1), row(2, payout=0.1), row(3)]
    change(loaded, TWICE)
    mended = run(loaded, "verify", "besitos", *DAYS, "--repair")
    assert mended.code == 3
    assert f"{REVERSAL}: not at the vendor" in mended.out
    assert "1 row that the vendor serves no more is kept by design" in mended.out
    again = run(loaded, "verify", "besitos", *DAYS)
    assert ("--repair" in again.out, "differ." in again.out) == (False, False)
    assert loaded.query("select count(*) from besitos.conversion_events") == [(4,)]


@pytest.mark.more
def test_m06_a_load_looks_at_what_it_committed(loaded: Workspace) -> None:
    """Doubled statements of events that come again: exit 1 and the way out, night after night, until that is taken."""
    change(loaded, TWICE)
    load = ("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08")
    run(loaded, *load).refused(
        1, "3 events of conversion_events have not one open row each", "verify besitos --repair"
    )
    asked = len(loaded.sandbox.requests)
    run(loaded, *load).refused(1, "verify besitos --repair")
    assert len(loaded.sandbox.requests) == asked, "the next night went on blindly"
    mended = run(loaded, "verify", "besitos", *DAYS, "--repair")
    assert mended.code == 0, mended.told
    assert run(loaded, *load).code == 0
    assert said(loaded) == SAID


@pytest.mark.more
def test_m06_a_load_in_doubt_moves_no_cursor_and_is_no_evidence(loaded: Workspace) -> None:
    """What is mended by hand is forgotten by the next night, which reads the same days again."""
    loaded.sandbox.besitos.rows = [row(1), row(2, payout=0.2), row(3), reversal(3)]
    change(loaded, TWICE)
    before = loaded.query("select count(*) from besitos.windows")
    load = ("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-12")
    run(loaded, *load).refused(1, "--repair")
    assert loaded.query("select count(*) from besitos.windows") == before
    change(loaded, "create table kept as select distinct * from besitos.conversion_events")
    change(
        loaded,
        "delete from besitos.conversion_events; insert into besitos.conversion_events from kept; drop table kept",
    )
    assert run(loaded, *load).code == 0
    assert said(loaded) == SAID | {"2:original": [0.1, 0.2]}
