"""`conversync nightly`: one command, one summary, one exit code; what fails stops only what rests on it."""

from __future__ import annotations

import fcntl
import json
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from conversync.nightly import sources_of
from conversync.sandbox import Fault
from tests.besitos.rows import row
from tests.dbt.cluster import Cluster, binary
from tests.health.support import program, webhook
from tests.nightly.support import OUTBOX, Project


def sending(project: Project, query: str = OUTBOX) -> None:
    """What config.toml sends, and the key that it is sent with."""
    config = project.folder / ".dlt" / "config.toml"
    text = " ".join(query.split())
    config.write_text(config.read_text() + f'\n[send.keitaro.conversions]\nquery = "{text}"\n')
    project.settings["KEITARO_POSTBACK_KEY"] = project.sandbox.keitaro.postback_key


def good_row() -> dict[str, object]:
    """One of the day before yesterday: a feed of bad rows alone would be no feed."""
    return row(1, date_time=f"{datetime.now(UTC).date() - timedelta(days=2)} 06:25:36")


def outcomes(steps: dict[str, dict[str, object]]) -> dict[str, object]:
    return {name: step["outcome"] for name, step in steps.items()}


def test_a_night_loads_sends_publishes_and_has_nothing_to_tell(project: Project) -> None:
    """From an empty folder: every step done, exit 0, what was sent stands in the published copy, and only once."""
    project.init()
    sending(project)
    ended, steps = project.night()
    assert ended.code == 0, ended.out + ended.err
    assert outcomes(steps) == dict.fromkeys(
        ["load besitos", "load infobip", "load conductrics", "load keitaro", "send keitaro.conversions",
         "publish", "alert"], "done",
    )  # fmt: skip
    assert (steps["send keitaro.conversions"]["text"], steps["alert"]["text"]) == (
        "3 sent",
        "nothing to tell",
    )
    sent = "select status, count(*) from sent.keitaro_conversions group by all"
    assert project.query(sent, "published/warehouse.duckdb") == [("sent", 3)]
    shown = project.run("nightly", "--no-build", "--no-report")
    assert shown.code == 0
    assert "0 sent" in shown.out, shown.out
    assert "published/warehouse.duckdb" in shown.out
    assert max(len(line) for line in shown.out.splitlines() if line.startswith(" ")) <= 80
    assert project.query(sent) == [("sent", 3)]


@pytest.mark.more
def test_one_vendor_down_costs_its_own_rows_and_the_exit_code(project: Project) -> None:
    """The others load, what does not read it is sent, the copy is published, and somebody is told. Exit 6."""
    project.init("--source", "besitos", "--source", "infobip", "--source", "keitaro")
    sending(project)
    command, place = program(project.folder)
    project.settings["CONVERSYNC_ALERT_COMMAND"] = command
    project.sandbox.faults.add(Fault(path="/1/conversion-rate*", status=503))
    ended, steps = project.night()
    assert ended.code == 6
    failed = {name for name, outcome in outcomes(steps).items() if outcome != "done"}
    assert failed == {"load infobip"}
    told = json.loads(place.read_text())
    assert told["exit_code"] == 6
    assert {(one["kind"], one["source"]) for one in told["problems"]} == {
        ("failure", "infobip"), ("stale", "infobip"),
    }  # fmt: skip
    assert "Infobip failed at GET" in told["text"]
    for secret in (project.sandbox.token, project.sandbox.keitaro.api_key):
        assert secret not in place.read_text()
    assert project.query("select count(*) > 0 from besitos.conversions", "published/warehouse.duckdb") == [
        (True,)
    ]


@pytest.mark.more
def test_a_send_waits_for_the_next_night_if_its_source_failed(project: Project) -> None:
    """Better late than wrong: nothing is posted, the step says why; the next night sends it."""
    project.init("--source", "besitos", "--source", "keitaro")
    sending(project)
    fault = project.sandbox.faults.add(Fault(path="/data/partner/conversions", status=401))
    ended, steps = project.night()
    assert ended.code == 5
    assert steps["send keitaro.conversions"]["outcome"] == "skipped"
    assert "besitos could not be loaded" in steps["send keitaro.conversions"]["text"]
    assert steps["publish"]["outcome"] == "done"
    project.sandbox.faults.clear()
    assert fault.delivered
    ended, steps = project.night()
    assert (ended.code, steps["send keitaro.conversions"]["text"]) == (0, "3 sent")


@pytest.mark.more
def test_x25_a_night_sends_old_history_only_by_a_setting_and_tells_of_rows_that_left(
    project: Project,
) -> None:
    """X24: nothing goes and the night says why (2); with send_since all of it; a row that left wants a look (3)."""
    project.init("--source", "besitos", "--source", "keitaro")
    sending(project, OUTBOX.replace("select", "select date '2024-01-01' as occurred_on,", 1))
    ended, steps = project.night()
    assert ended.code == 2
    assert steps["send keitaro.conversions"]["outcome"] == "failed"
    assert "send_since in [send.keitaro.conversions]" in steps["send keitaro.conversions"]["text"]
    assert (steps["publish"]["outcome"], project.posted()) == ("done", [])
    project.settings["SEND_SINCE"] = "2024-01-01"
    ended, steps = project.night()
    assert (ended.code, steps["send keitaro.conversions"]["text"]) == (0, "3 sent")
    config = project.folder / ".dlt" / "config.toml"
    config.write_text(config.read_text().replace("limit 3", "limit 2"))
    ended, steps = project.night()
    assert (ended.code, steps["send keitaro.conversions"]["text"]) == (3, "0 sent")
    assert "left the outbox" in " ".join(steps["send keitaro.conversions"]["notes"])
    project.settings["SEND_MISSING"] = "take_back"
    ended, steps = project.night()
    assert (ended.code, steps["send keitaro.conversions"]["text"]) == (0, "0 sent, 1 taken back")
    assert len(project.posted()) == 4


@pytest.mark.more
def test_rows_newly_set_aside_end_with_3_and_are_told(project: Project) -> None:
    """The night is done all the same."""
    project.init("--source", "besitos")
    project.sandbox.besitos.rows = [good_row(), {"transaction_id": "none"}]
    with webhook() as hook:
        project.settings["CONVERSYNC_ALERT_WEBHOOK"] = f"{hook.url}/hush"
        ended, steps = project.night()
    assert (ended.code, set(outcomes(steps).values())) == (3, {"done"})
    [(_, told)] = hook.posted
    assert [one["kind"] for one in told["problems"]] == ["rejected"]
    assert "hush" not in ended.out + ended.err


@pytest.mark.more
def test_an_alert_that_fails_hides_nothing(project: Project) -> None:
    """The run's own exit code stays, the data is there and published, and standard error says that nobody was told."""
    project.init("--source", "besitos")
    project.sandbox.besitos.rows = [good_row(), {"transaction_id": "none"}]
    with webhook(status=404) as hook:
        project.settings["CONVERSYNC_ALERT_WEBHOOK"] = f"{hook.url}/hush"
        ended = project.run("nightly", "--no-build", "--no-report")
    assert ended.code == 3
    assert (
        "conversync: alert: The alert did not arrive: 127.0.0.1, the host in alert_webhook, answered 404."
        in ended.err
    )
    assert "hush" not in ended.out + ended.err
    assert (project.folder / "published" / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    "lock", [".conversync/warehouse.duckdb.lock", ".conversync/nightly-warehouse.duckdb.lock"]
)
def test_a_night_that_is_locked_out_ends_at_once(project: Project, lock: str) -> None:
    """Exit 4 without one request, whoever holds the warehouse: a load, or another night between two of its steps."""
    project.init("--source", "besitos")
    path = project.folder / lock
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        ended, steps = project.night()
    assert (ended.code, list(steps)) == (4, ["load", "alert"])
    assert "--wait 30m" in str(steps["load"]["text"])
    assert project.sandbox.requests == []


def test_a_missing_setting_is_told_before_any_request(project: Project) -> None:
    """Exit 2, and nothing else is begun; a wrong setting of the alert, too."""
    project.init("--source", "besitos")
    project.settings["BESITOS_ZONE"] = "Mars"
    ended, steps = project.night()
    assert (ended.code, list(steps)) == (2, ["load", "alert"])
    assert "besitos_zone" in str(steps["load"]["text"])
    project.settings = {"CONVERSYNC_ALERT_STALE_HOURS": "0"}
    refused = project.run("nightly")
    assert (refused.code, "alert_stale_hours" in refused.err) == (2, True)
    assert project.sandbox.requests == []


@pytest.mark.parametrize(
    ("outbox", "reads"),
    [
        ("besitos", {"besitos"}),
        (
            "select * from besitos.conversions as b join keitaro.conversions as k on true",
            {"besitos", "keitaro"},
        ),
        ("with one as (select * from besitos.offers) select * from one", {"besitos"}),
        ("keitaro.conversions", {"keitaro"}),
        ("main.to_optibase", {"besitos", "infobip", "conductrics", "keitaro"}),
        ("select * from marts.conversions", {"besitos", "infobip", "conductrics", "keitaro"}),
        ("select * from to_optibase", {"besitos", "infobip", "conductrics", "keitaro"}),
        ("from besitos.conversions select ((", {"besitos", "infobip", "conductrics", "keitaro"}),
    ],
)
def test_a_send_rests_on_what_its_query_reads(outbox: str, reads: set[str]) -> None:
    """On vendors' own tables: those vendors. On anything else, a view or marts: all, for nobody knows what it reads."""
    from conversync.vendors import targets

    assert sources_of(outbox, targets()["keitaro.conversions"]) == reads


@pytest.mark.long
def test_a_whole_night_with_build_and_report(project: Project) -> None:
    """dbt's marts and the HTML report stand beside the copy; a build that fails stops the sends, and nothing else."""
    project.init()
    sending(project)
    ended = project.run("nightly", "--log-format", "json")
    steps = {one["step"]: one for one in json.loads(ended.out)["steps"]}
    assert ended.code == 0, ended.out + ended.err
    assert {steps[name]["outcome"] for name in ("build", "send", "publish", "report", "alert")} == {"done"}
    assert (project.folder / "published" / "report.html").exists()
    assert project.query("select count(*) > 0 from marts.conversions", "published/warehouse.duckdb") == [
        (True,)
    ]
    with duckdb.connect(str(project.folder / "warehouse.duckdb")) as connection:
        connection.execute("insert into besitos.conversion_events from besitos.conversion_events limit 1")
    ended = project.run("nightly", "--log-format", "json")
    steps = {one["step"]: one for one in json.loads(ended.out)["steps"]}
    assert (ended.code, steps["build"]["outcome"], steps["send"]["outcome"]) == (1, "failed", "skipped")
    assert "the build failed" in steps["send"]["text"]
    assert steps["publish"]["outcome"] == steps["report"]["outcome"] == "done"


@pytest.mark.more
@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_a_whole_night_on_a_server(project: Project, database: Cluster) -> None:
    """Models, sends and the page as beside a file; there is no copy, since nobody needs one there."""
    project.init()
    sending(project)
    project.settings["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
    ended = project.run("nightly", "--destination", "postgres", "--log-format", "json")
    steps = {one["step"]: one for one in json.loads(ended.out)["steps"]}
    assert ended.code == 0, ended.out + ended.err
    assert {steps[name]["outcome"] for name in ("build", "send", "report", "alert")} == {"done"}
    assert (steps["publish"]["outcome"], steps["publish"]["text"]) == ("skipped", "no copy is wanted")
    assert (project.folder / "published" / "report.html").exists()
    assert database.ask("select count(*) > 0 from marts.conversions") == [(True,)]
    assert database.ask("select count(*) from sent.keitaro_conversions where status = 'sent'") == [(3,)]
