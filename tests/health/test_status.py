"""`conversync status`: what it says is what the evidence of whole loads says."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from datetime import UTC, date, datetime, timedelta

import duckdb

from pipelines.health.problems import Limits
from tests.besitos.rows import reversal, row
from tests.health.support import House, change, forked, health, run, source, told
from tests.support import CONVERSYNC

TODAY = datetime.now(UTC).date()


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def at(days: int) -> str:
    return f"{ago(days)} 12:00:00"


def conversions(house: House) -> list[str]:
    [found] = [one for one in source(house).streams if one.stream == "conversions"]
    return [str(found.days.first), str(found.days.last), *map(str, found.days.never)]


def test_days_between_two_loads_that_nobody_read_are_named(house: House) -> None:
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


def test_evidence_of_a_load_that_was_not_committed_whole_does_not_count(house: House) -> None:
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


def test_days_that_were_read_short_are_told(house: House) -> None:
    """Fewer rows than were announced: the day is no more sure than one that was never read."""
    house.load("2024-12-01", "2024-12-04")
    house.load("2024-12-04", "2024-12-07")
    change(
        house, "update besitos.windows set announced = received + 1 where window_start = date '2024-12-04'"
    )
    assert [str(day) for day in source(house).days("short")] == ["2024-12-04", "2024-12-05", "2024-12-06"]
    assert "only read short" in told(house)["incomplete"].text


def test_staleness_goes_by_the_last_load_and_a_quiet_day_is_not_stale(house: House) -> None:
    """A load that brought no row is fresh; one that is 27 hours old is not, whatever was sent or built since."""
    house.load("2024-12-01", "2024-12-04")
    assert told(house) == {}
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 27 hour")
    problem = told(house)["stale"]
    assert problem.figures["hours"] == 27.0
    assert "the last load is 27 h old" in problem.text
    assert told(house, Limits(stale_hours=28)) == {}


def test_a_stream_that_is_left_behind_is_stale_though_its_source_is_loaded(house: House) -> None:
    """The sweep for reversals fails night after night, and the conversions come: that is told, too."""
    house.load("2024-12-01", "2024-12-04")
    change(house, "update besitos.windows set read_at = read_at - interval 3 day where stream = 'reversals'")
    problem = told(house)["stale"]
    assert (problem.figures["stream"], problem.figures["hours"]) == ("reversals", 72.0)


def test_lateness_counts_what_came_after_its_day_was_first_read(house: House) -> None:
    """A reversal filed 20 days back that a second reading brings is 20 days late; a backfill's are left out."""
    rows = [row(1, date_time=at(30)), reversal(1, date_time=at(30)), row(2, date_time=at(20))]
    house.sandbox.besitos.rows = rows
    house.load(ago(40), ago(0))
    assert source(house).lateness == []
    house.sandbox.besitos.rows = [*rows, reversal(2, date_time=at(20))]
    house.load(ago(40), ago(0))
    found = {late.what: late for late in source(house).lateness}
    assert {(late.rows, late.days_p50, late.days_p99_9, late.days_max) for late in found.values()} == {
        (1, 20, 20, 20)
    }
    assert found.keys() == {"reversals", "statements"}


def test_rows_set_aside_and_new_fields_are_new_for_a_day(house: House) -> None:
    """What the last day of loads brought for the first time is told with its reason; a day later it is known."""
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
    assert told(house) == {}


def test_a_drop_in_volume_is_told_of_the_last_whole_day(house: House) -> None:
    """Twelve a day for a week, then two: 83 % fewer. Beyond the setting it is a problem."""
    numbers = iter(range(1, 1000))
    rows = [row(next(numbers), date_time=at(days)) for days in range(8, 1, -1) for _ in range(12)]
    house.sandbox.besitos.rows = [*rows, row(998, date_time=at(1)), row(999, date_time=at(1))]
    house.load(ago(9), ago(0))
    problem = told(house)["volume_drop"]
    assert problem.figures == {"day": str(ago(1)), "conversions": 2, "usual": 12}
    assert "83 % fewer" in problem.text
    assert told(house, Limits(drop_pct=90)) == {}


def test_sends_in_doubt_are_counted_from_the_ledgers(house: House) -> None:
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


def test_status_reads_the_copy_while_a_run_holds_the_file_and_says_so(house: House) -> None:
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


def test_the_command_says_it_in_one_document_and_strict_tells_by_its_code(house: House) -> None:
    """0 always; with --strict 3 for what is stale, incomplete or in doubt. --log-format json: a line a table."""
    house.sandbox.besitos.rows = [row(1)]
    house.load("2024-12-01", "2024-12-08")
    ended = run(house, "status", "--json", "--strict")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    [told_source] = document["sources"]
    assert (told_source["source"], document["problems"], document["published"]) == ("besitos", [], None)
    assert told_source["streams"][0]["days"] == {
        "first": "2024-12-01", "last": "2024-12-07", "never": [], "short": [],
    }  # fmt: skip
    lines = [json.loads(line) for line in run(house, "status", "--log-format", "json").out.splitlines()]
    assert {line["table"]: line["rows"] for line in lines}["conversion_events"] == 1
    short = run(house, "status", "--days", "3", "--strict")
    assert short.code == 3
    assert "3 days were never read" in short.out
    assert run(house, "status", "--days", "3").code == 0
    bad = run(house, "status", CONVERSYNC_ALERT_STALE_HOURS="soon")
    assert (bad.code, "alert_stale_hours" in bad.err) == (2, True)


def test_status_fits_a_narrow_terminal(house: House) -> None:
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


def test_only_sources_with_their_settings_here_can_be_stale(house: House) -> None:
    """An analyst's machine has another source's settings: what was loaded elsewhere is shown, and no alarm."""
    house.load("2024-12-01", "2024-12-04")
    change(house, "update besitos._dlt_loads set inserted_at = inserted_at - interval 9 day")
    others = {"CONDUCTRICS_API_KEY": "k", "CONDUCTRICS_ACCOUNT": "a", "CONVERSYNC_WAREHOUSE": str(house.path)}
    ended = forked(house.nursery, house.folder, others, "status", "--json")
    document = json.loads(ended.out)
    assert [one["source"] for one in document["sources"]] == ["besitos", "conductrics"]
    assert [(one["kind"], one["source"]) for one in document["problems"]] == [("stale", "conductrics")]
