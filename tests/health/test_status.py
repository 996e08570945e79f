"""`conversync status`: what it says is what the evidence of whole loads says."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import pytest

from conversync.monitor.limits import Limits
from tests.besitos.rows import reversal, row
from tests.health.support import Workspace, change, forked, health, run, source, told
from tests.support import CONVERSYNC, sometimes

# The vendor's: EST.
TODAY = datetime.now(timezone(timedelta(hours=-5))).date()


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def at(days: int) -> str:
    return f"{ago(days)} 12:00:00"


def conversions(house: Workspace) -> list[str]:
    [found] = [one for one in source(house).streams if one.stream == "conversions"]
    return [str(found.days.first), str(found.days.last), *map(str, found.days.never)]


@pytest.mark.more
def test_days_between_two_loads_that_nobody_read_are_named(house: Workspace) -> None:
    """1..4 and 8..12 December leave 4 to 7 unread, for the 4th may not have been whole; a load of them heals it."""
    house.load("2024-12-01", "2024-12-04")
    house.load("2024-12-08", "2024-12-12")
    days = ["2024-12-04", "2024-12-05", "2024-12-06", "2024-12-07"]
    assert conversions(house) == ["2024-12-01", "2024-12-11", *days]
    problem = told(house)["incomplete"]
    assert problem.figures["days"] == days
    assert "conversync load besitos --from 2024-12-04 --to 2024-12-08" in problem.text
    house.load("2024-12-04", "2024-12-08")
    assert conversions(house) == ["2024-12-01", "2024-12-11"]
    assert told(house) == {}


@pytest.mark.more
def test_evidence_of_a_load_that_was_not_committed_whole_does_not_count(house: Workspace) -> None:
    """As where a run was killed on a destination that commits table by table: the row is there, its load is not."""
    house.load("2024-12-01", "2024-12-04")
    house.load("2024-12-04", "2024-12-12")
    loaded = source(house).last_load
    change(
        house,
        "update besitos._dlt_loads set status = 1 where load_id = (select max(load_id) from besitos._dlt_loads)",
    )
    assert conversions(house) == ["2024-12-01", "2024-12-03"]
    earlier = source(house).last_load
    assert loaded is not None
    assert earlier is not None
    assert earlier < loaded
    change(house, "delete from besitos._dlt_loads")
    assert source(house).last_load is None
    assert told(house)["stale"].text == "besitos: has its settings, and was never loaded."


@pytest.mark.more
@pytest.mark.parametrize(
    "evidence",
    sometimes(
        "missing = 2, announced = received + 2", "missing = null, announced = received + 2", quick=1, ids=str
    ),
)
def test_b02_a_day_that_is_short_is_told_as_short_by_so_many(house: Workspace, evidence: str) -> None:
    """Rows that were announced and did not come: in status, by its code, in the alert; whole again, nothing."""
    house.load("2024-12-01", "2024-12-04")
    house.load("2024-12-04", "2024-12-07")
    change(
        house,
        f"update besitos.windows set {evidence} where window_start = date '2024-12-04' and stream = 'conversions'",
    )
    assert [str(day) for day in source(house).days("short")] == ["2024-12-04", "2024-12-05", "2024-12-06"]
    problem = told(house)["short"]
    assert (problem.figures["stream"], problem.figures["rows"]) == ("conversions", 2)
    assert "conversions is short by 2 rows on 2024-12-04 .. 2024-12-06" in problem.text
    shown, alerted = run(house, "status", "--strict"), run(house, "alert", "--dry-run")
    assert (shown.code, "3 d by 2" in shown.out) == (3, True)
    assert [one["kind"] for one in json.loads(alerted.out)["problems"]] == ["short"]
    house.load("2024-12-04", "2024-12-07")
    assert told(house) == {}


@pytest.mark.more
def test_b02_the_latest_reading_of_a_day_decides(house: Workspace) -> None:
    """A day that was whole a week ago and came short last night is short: its newest rows are those that lack."""
    house.load("2024-12-01", "2024-12-07")
    house.load("2024-12-01", "2024-12-07")
    change(
        house,
        """update besitos.windows set missing = 1 where stream = 'conversions'
        and read_at = (select max(read_at) from besitos.windows where stream = 'conversions')""",
    )
    assert len(source(house).days("short")) == 6
    change(house, "update besitos.windows set missing = 1 - missing where stream = 'conversions'")
    assert source(house).days("short") == []


@pytest.mark.more
def test_m08_a_stream_that_has_not_come_for_five_days_owes_its_days(house: Workspace) -> None:
    """Read up to its present, and then no more: every day since is missing, whatever old days are read."""
    house.load(ago(30), ago(0))
    assert told(house) == {}
    change(
        house,
        """update besitos.windows set read_at = read_at - interval 5 day, window_end = case
            when window_end = (select max(window_end) from besitos.windows) then window_end - 5 else window_end end
        where stream = 'conversions'""",
    )
    found = told(house)
    assert (found["stale"].figures["stream"], found["stale"].figures["hours"]) == ("conversions", 120.0)
    assert found["stale"].text == "besitos: conversions was last read 5 days ago."
    assert len(found["incomplete"].figures["days"]) == 5
    assert told(house, Limits(stale_hours=24 * 6)) == {}
    house.load(ago(200), ago(190))
    assert told(house).keys() == {"stale", "incomplete"}
    since = "was last read up to its present 5 days ago, since then only earlier days."
    assert told(house)["stale"].text == f"besitos: conversions {since}"


def test_m08_a_reading_that_a_wrong_clock_dates_in_the_future_is_no_news(house: Workspace) -> None:
    """A night whose clock was ahead hides no stream that has not come since: how fresh it is, earlier readings tell."""
    house.load(ago(30), ago(0))
    house.load(ago(30), ago(0))
    last = "read_at = (select max(read_at) from besitos.windows where stream = 'conversions')"
    moved = "update besitos.windows set read_at = read_at {0} interval {1} day, window_end = window_end {0} {1} where"
    change(house, f"{moved.format('-', 3)} stream = 'conversions' and not {last}")
    change(house, f"{moved.format('+', 17)} stream = 'conversions' and {last}")
    assert told(house)["stale"].figures["hours"] == 72.0


@pytest.mark.more
def test_a_source_without_its_view_of_days_is_told(house: Workspace) -> None:
    """As a version before it left it: nobody says that its days are whole, and the next load makes the view."""
    house.load("2024-12-01", "2024-12-04")
    change(house, "drop view besitos.days")
    assert "the view besitos.days is missing" in told(house)["incomplete"].text
    assert run(house, "status", "--strict").code == 3
    house.load("2024-12-01", "2024-12-04")
    assert told(house) == {}


@pytest.mark.more
def test_m02_what_the_vendor_serves_no_more_is_counted(house: Workspace) -> None:
    """Where the view of conversions tells it, status does, too."""
    house.sandbox.besitos.rows = [row(1), row(2)]
    house.load("2024-12-01", "2024-12-08")
    assert source(house).withdrawn == 0
    change(
        house,
        """create or replace view besitos.conversions as select transaction_id, occurred_on,
        case when transaction_id = 2 then now() end as withdrawn_at from besitos.conversion_events""",
    )
    assert source(house).withdrawn == 1
    assert "besitos: 1 conversion that the vendor serves no more" in run(house, "status").out


def test_staleness_goes_by_the_last_load_and_a_quiet_day_is_not_stale(house: Workspace) -> None:
    """A load that brought no row is fresh; one that is 27 hours old is not, whatever was sent or built since."""
    house.load("2024-12-01", "2024-12-04")
    assert told(house) == {}
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 27 hour")
    problem = told(house)["stale"]
    assert problem.figures["hours"] == 27.0
    assert "the last load is 1 day 3 hours old" in problem.text
    assert told(house, Limits(stale_hours=28)) == {}


def test_a_stream_that_is_left_behind_is_stale_though_its_source_is_loaded(house: Workspace) -> None:
    """The sweep for reversals fails night after night, and the conversions come: that is told, too."""
    house.load("2024-12-01", "2024-12-04")
    change(house, "update besitos.windows set read_at = read_at - interval 3 day where stream = 'reversals'")
    problem = told(house)["stale"]
    assert (problem.figures["stream"], problem.figures["hours"]) == ("reversals", 72.0)


@pytest.mark.more
def test_a05_lateness_is_of_days_that_were_watched_equally_long(house: Workspace) -> None:
    """What a backfill brings is as late as the vendor dates it, what a night brings as late as it was read; n is told.

    Forty days: those of the first half were watched for twenty. One that a backfill brought, dated as its conversion,
    tells nothing; one of a young day does not count.
    """
    originals = [row(number, date_time=at(30)) for number in range(1, 13)]
    young = row(20, date_time=at(5))
    first = [
        *originals,
        *(reversal(number, date_time=at(28)) for number in range(1, 10)),
        reversal(10, date_time=at(30)),
        young,
    ]
    house.sandbox.besitos.rows = first
    house.load(ago(40), ago(0))
    backfilled = house.query(
        "select reversals, days_for_half, dated_reversals, all_reversals from besitos.lateness"
    )
    assert backfilled == [(9, None, 9, 10)]
    house.sandbox.besitos.rows = [*first, reversal(11, date_time=at(30)), reversal(20, date_time=at(5))]
    house.load(ago(40), ago(0))
    # As if the first load had been 28 days ago, and the second the day after.
    change(
        house,
        f"update besitos.conversion_events set valid_from = '{ago(28)} 12:00:00+00' where transaction_id <= 10",
    )
    change(
        house,
        f"update besitos.conversion_events set valid_from = '{ago(28)} 12:00:00+00' where not is_reversal",
    )
    change(
        house,
        f"update besitos.conversion_events set valid_from = '{ago(27)} 12:00:00+00' where event_key like '11:rev%'",
    )
    found = source(house).lateness
    assert found is not None
    assert found.watched_days in (19, 20)  # it may still be yesterday in the vendor's zone
    assert (found.rows, found.days_for_half, found.days_for_95_percent) == (11, 2, None)
    assert "half 2 d of 11" in run(house, "status").out
    assert house.query("select days_for_99_9_percent, all_reversals from besitos.lateness") == [(None, 12)]


@pytest.mark.more
def test_rows_set_aside_and_new_fields_are_new_for_a_day(house: Workspace) -> None:
    """What the last day of loads brought for the first time is told with its reason; a day later it is known.

    What is resolved, because the vendor mended it, is counted no more (F03).
    """
    house.sandbox.besitos.rows = [row(1, reward="much"), row(2, colour="red"), row(3)]
    house.run("2024-12-01", "2024-12-08")
    found = source(house)
    assert (found.rejects.rows, found.rejects.new, found.new_fields) == (1, 1, ("colour",))
    assert "reward" in found.rejects.reasons[0][0]
    assert told(house).keys() == {"rejected", "new_fields"}
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 25 hour")
    house.run("2024-12-01", "2024-12-08")
    found = source(house)
    assert (found.rejects.rows, found.rejects.new, found.new_fields) == (1, 0, ())
    assert told(house).keys() == {"set_aside"}
    change(house, "update besitos.rejected_rows set resolved_at = now()")
    assert source(house).rejects.rows == 0
    assert told(house) == {}


@pytest.mark.more
def test_f03_strict_ends_with_3_while_rows_are_set_aside(house: Workspace) -> None:
    """On the first day and on any later one, and no alert after the first; mended by the vendor, 0."""
    house.sandbox.besitos.rows = [row(1, reward="much"), row(2)]
    assert house.run("2024-12-01", "2024-12-08").exit_code == 3
    first = run(house, "status", "--strict")
    assert (first.code, "1 row newly set aside" in first.out) == (3, True)
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 25 hour")
    house.load("2024-12-01", "2024-12-08")
    later = run(house, "status", "--strict")
    assert (later.code, "besitos: 1 row still set aside, and in no sum." in later.out) == (3, True)
    assert run(house, "status").code == 0
    assert run(house, "alert", "--dry-run").out == "Nothing to tell.\n"
    house.sandbox.besitos.rows = [row(1), row(2)]
    house.load("2024-12-01", "2024-12-08")
    assert run(house, "status", "--strict").code == 0


def test_a_drop_in_volume_is_told_of_the_last_whole_day(house: Workspace) -> None:
    """Twelve a day for a week, then two: 83 % fewer. Beyond the setting it is a problem."""
    numbers = iter(range(1, 1000))
    rows = [row(next(numbers), date_time=at(days)) for days in range(8, 1, -1) for _ in range(12)]
    house.sandbox.besitos.rows = [*rows, row(998, date_time=at(1)), row(999, date_time=at(1))]
    house.load(ago(9), ago(0))
    problem = told(house)["volume_drop"]
    assert problem.figures == {"day": str(ago(1)), "conversions": 2, "usual": 12}
    assert "83 % fewer" in problem.text
    assert told(house, Limits(drop_pct=90)) == {}


def test_sends_in_doubt_are_counted_from_the_ledgers(house: Workspace) -> None:
    """By target and status, from `sent.*` as the engine writes it."""
    import dlt

    house.load("2024-12-01", "2024-12-04")
    rows = [
        {"send_key": str(number), "status": status, "sent_at": datetime.now(UTC)}
        for number, status in enumerate(["sent", "sent", "rejected", "in_doubt"])
    ]
    destination = dlt.destinations.duckdb(str(house.path))
    dlt.pipeline(
        "conversync_sent",
        destination=destination,
        dataset_name="sent",
        pipelines_dir=str(house.folder / "dlt"),
    ).run(rows, table_name="keitaro_conversions", schema=dlt.Schema("sent"))
    [found] = health(house).sends
    assert (found.target, found.sent, found.rejected, found.in_doubt) == ("keitaro.conversions", 2, 1, 1)
    assert told(house)["in_doubt"].source == "keitaro.conversions"


@pytest.mark.more
def test_status_reads_the_copy_while_a_run_holds_the_file_and_says_so(house: Workspace) -> None:
    """Exit 0, with the copy's figures; without a copy, exit 4 and the way out. The run is not disturbed."""
    house.load("2024-12-01", "2024-12-04")
    with duckdb.connect(str(house.path)):
        refused = run(house, "status")
    assert refused.code == 4
    assert "there is no published copy to read instead" in refused.err
    assert run(house, "publish").code == 0
    with duckdb.connect(str(house.path)) as connection:
        ended = run(house, "status")
        document = json.loads(run(house, "status", "--json").out)
        connection.execute("create table main.goes_on as select 1 as one")
    assert ended.code == 0, ended.err
    assert "A run holds warehouse.duckdb: this is the published copy of" in ended.out
    assert document["read_from"].endswith("published/warehouse.duckdb")
    assert document["note"].startswith("A run holds")


def test_the_command_says_it_in_one_document_and_strict_tells_by_its_code(house: Workspace) -> None:
    """0 always; with --strict 3 for what is missing or in doubt. --log-format json: a line a table."""
    house.sandbox.besitos.rows = [row(1)]
    house.load("2024-12-01", "2024-12-08")
    ended = run(house, "status", "--json", "--strict")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    [told_source] = document["sources"]
    assert (told_source["source"], document["problems"], document["published"]) == ("besitos", [], None)
    assert told_source["streams"][0]["days"] == {
        "first": "2024-12-01", "last": "2024-12-07", "never": [], "short": [], "missing": 0,
    }  # fmt: skip
    lines = [json.loads(line) for line in run(house, "status", "--log-format", "json").out.splitlines()]
    assert {line["table"]: line["rows"] for line in lines}["conversion_events"] == 1
    short = run(house, "status", "--days", "3", "--strict")
    assert short.code == 3
    assert "3 days were never read" in short.out
    assert run(house, "status", "--days", "3").code == 0
    bad = run(house, "status", CONVERSYNC_ALERT_STALE_HOURS="soon")
    assert (bad.code, "alert_stale_hours" in bad.err) == (2, True)


@pytest.mark.more
def test_status_fits_a_narrow_terminal(house: Workspace) -> None:
    """Eighty columns, on a real terminal: no table's line is wider."""
    house.sandbox.besitos.rows = [row(1), row(2, reward="much")]
    house.run("2024-12-01", "2024-12-08")
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 100 day")
    parent, child = pty.openpty()
    environment = {**house.environment, "PATH": os.environ["PATH"], "COLUMNS": "80", "TERM": "dumb"}
    with subprocess.Popen(
        [CONVERSYNC, "status", "--tables"], cwd=house.folder, env=environment, stdout=child
    ) as process:
        os.close(child)
        written = b""
        try:
            while piece := os.read(parent, 65536):
                written += piece
        except OSError:
            pass  # the terminal is gone with its last writer
    os.close(parent)
    assert process.returncode == 0
    tables = [line for line in written.decode().splitlines() if line.startswith(" ")]
    assert any("besitos.conversion_events" in line for line in tables)
    assert max(len(line) for line in tables) <= 80


def test_only_sources_with_their_settings_here_can_be_stale(house: Workspace) -> None:
    """An analyst's machine has another source's settings: what was loaded elsewhere is shown, and no alarm."""
    house.load("2024-12-01", "2024-12-04")
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 9 day")
    others = {"CONDUCTRICS_API_KEY": "k", "CONDUCTRICS_ACCOUNT": "a", "CONVERSYNC_WAREHOUSE": str(house.path)}
    ended = forked(house.nursery, house.folder, others, "status", "--json")
    document = json.loads(ended.out)
    assert [one["source"] for one in document["sources"]] == ["besitos", "conductrics"]
    assert [(one["kind"], one["source"]) for one in document["problems"]] == [("stale", "conductrics")]


def test_the_copy_is_as_new_as_what_it_was_made_of(house: Workspace) -> None:
    """Whatever was written after it: sends and closings are no loads, and are not in it either."""
    house.load("2024-12-01", "2024-12-04")
    assert run(house, "publish").code == 0
    assert "as new as the warehouse" in run(house, "status").out
    change(house, "create schema sent; create table sent.keitaro_conversions as select 'a' as send_key")
    assert "older than the warehouse" in run(house, "status").out
    assert run(house, "publish").code == 0
    assert "as new as the warehouse" in run(house, "status").out
