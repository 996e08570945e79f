"""One story in every destination that can be run here: what each holds is what the oracle wants."""

from __future__ import annotations

import signal
from decimal import Decimal
from random import Random

import pytest

from tests.besitos.rows import text
from tests.destinations.places import Elsewhere
from tests.process.support import Done
from tests.send.receiver import PUBLIC_KEY, Receiver, serve

pytestmark = pytest.mark.destinations
NET = "select count(*), sum(net_payout), count(*) filter (where is_reversed) from besitos.conversions"
RECEIVED = (
    "select event_key as send_key, user_key as tested_user_external_id, event_key as conversion_id "
    "from besitos.conversion_events where valid_to is null and transaction_id in (select min(transaction_id) "
    "from besitos.conversion_events union all select max(transaction_id) from besitos.conversion_events)"
)


def well(done: Done) -> None:
    assert done.code == 0, done.told


def second_night(place: Elsewhere) -> None:
    """Fifteen days later much was restated, and reversed."""
    place.sandbox.world.now = place.sandbox.world.day(40)


def test_two_nights_are_exact_and_the_same_night_again_changes_nothing(place: Elsewhere) -> None:
    """Late reversals, restatements, ways back: every statement, each where the one before ended; and the view of it."""
    well(place.load())
    assert place.held() == place.expected()
    second_night(place)
    well(place.load())
    held = place.held()
    assert held == place.expected()
    assert max(map(len, held.values())) > 1, "something was restated"
    told = place.query(NET)
    well(place.load())
    assert (place.held(), place.query(NET)) == (held, told)
    standing = [history[-1] for history in held.values()]
    net = sum(
        (-one.payout if one.is_reversal else one.payout) or Decimal(0) for one in standing if one.payout
    )
    [[count, earned, reversed_]] = told
    assert (count, earned) == (len({one.transaction_id for one in standing}), net)
    assert reversed_ == len({one.transaction_id for one in standing if one.is_reversal})


def test_it_is_read_there_too(place: Elsewhere) -> None:
    """`status`, `verify`, `check` and a view that somebody dropped."""
    well(place.load())
    well(place.run("status"))
    days = place.days[2:6]
    well(place.run("verify", "besitos", *days))
    well(place.run("check", "besitos"))
    place.query("drop view besitos.conversions" + ("; select 1" if place.destination == "postgres" else ""))
    well(place.load())
    assert place.query(NET)[0][0] > 0


def test_a_bad_row_is_set_aside_there(place: Elsewhere) -> None:
    """Exit 3 on the night on which it is new, 0 on the next one."""
    sandbox = place.sandbox
    sandbox.besitos.rows = [text(1), text(2, payout='"none"'), text(3)]
    done = place.load()
    assert done.code == 3, done.told
    assert place.query("select count(*) from besitos.rejected_rows") == [(1,)]
    assert place.query("select transaction_id from besitos.conversions order by 1") == [(1,), (3,)]
    well(place.load())


def test_a_column_that_somebody_dropped_is_told(place: Elsewhere) -> None:
    """Exit 1, and nothing is loaded."""
    well(place.load())
    place.query("drop view besitos.conversions" + ("; select 1" if place.destination == "postgres" else ""))
    dropped = "alter table besitos.conversion_events drop column note"
    place.query(dropped + " cascade; select 1" if place.destination == "postgres" else dropped)
    place.load().refused(1, "Somebody altered the warehouse", "note")


def test_two_loads_at_once_are_exact_or_one_is_turned_away(place: Elsewhere) -> None:
    """From one folder: never anything but 0 and 4."""
    for _ in range(2):
        runs = [place.begin("--destination", place.destination) for _ in range(2)]
        codes = sorted(run.wait().code for run in runs)
        assert codes in ([0, 0], [0, 4]), codes
        assert place.held() == place.expected()


def test_a_load_that_is_killed_is_made_good_by_the_next(place: Elsewhere) -> None:
    """At four points of a second night: nothing half done that a reader could see, and then what the oracle wants."""
    well(place.load())
    second_night(place)
    for part in range(4):
        done = place.load(at=POINTS[part] + Random(part).randrange(40))
        assert done.code == -signal.SIGKILL, done.told
        place.held()
    well(place.load())
    assert place.held() == place.expected()


# Kill points of a night on DuckDB are some 400; on a server only changes of files are points, some 150.
POINTS = (20, 60, 90, 110)


def test_rows_are_sent_from_there_once(place: Elsewhere) -> None:
    """Two conversions out of a query, and nothing the second time."""
    well(place.load())
    receiver = Receiver()
    with serve(receiver) as vendor:
        place.env |= {
            "OPTIBASE_URL": f"{vendor.url}/api/script/conversionEvent",
            "OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY,
        }
        for _ in range(2):
            well(place.run("send", "optibase.conversions", "--from", RECEIVED, "--since", "2024-01-01"))
            assert (
                len(receiver.taken)
                == place.query("select count(*) from sent.optibase_conversions")[0][0]
                >= 2
            )
