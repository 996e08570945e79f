"""What goes wrong: the documented error bodies as sentences, settings that cannot be meant, and what is set aside."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conversync.errors import SettingsError, VendorError
from conversync.extract.windows import Window
from conversync.sandbox import Fault, World
from conversync.sandbox.infobip import error_body
from conversync.sandbox.messages import to_json
from conversync.settings.lookup import resolve
from sources.infobip import InfobipSettings
from sources.infobip.asking import Question
from sources.infobip.statistics import Rows
from tests.houses import VendorWorkspace, readme_script, run_script
from tests.infobip.conftest import MakeHouse
from tests.support import command, tables

README = Path(__file__).parents[2] / "sources" / "infobip" / "README.md"
PAIR = "47A3 from START to END"
PAIR_OR_TAGS = f"the process or tags {PAIR}"
ASKED = "GET /1/conversion-rate/process/47A3/statistics/conversion-rate"
LATER_OR_LESS = "try again later, or ask for less at once."
LATER = "try again later."
PAIRS = "check infobip_pairs."
CREDENTIALS = (
    "Check infobip_username and infobip_password in .dlt/secrets.toml, "
    "or INFOBIP_USERNAME and INFOBIP_PASSWORD."
)
SECRETS = ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")


def body(message_id: str, text: str, *variables: str, policy: bool = False) -> bytes:
    return to_json(error_body(message_id, text, *variables, policy=policy)).encode()


def read(house: VendorWorkspace, budget: int = 0) -> Rows:
    """One day of the first pair over HTTP, without a load."""
    with house.set():
        settings = resolve(InfobipSettings, "infobip")
    access, day = settings.access(), date(2026, 1, 1)
    with access.client(budget) as client:
        return access.ask(client, Question(settings.pairs()[0], Window(day, day)), day)


@pytest.fixture
def small(make_house: MakeHouse) -> VendorWorkspace:
    """One pair, one answer, and no patience."""
    made = make_house(World(days=2, conversions_a_day=5), None, http_budget="0")
    pair = made.sandbox.infobip.pairs[0]
    made.settings["INFOBIP_PAIRS"] = json.dumps([{**pair, "process_key": "47A3"}])
    return made


NOT_FOUND = body("RESOURCE_NOT_FOUND", "Process %1 not found.", "47A3")


@pytest.mark.parametrize(
    ("status", "said", "code", "sentence"),
    [
        (
            404,
            NOT_FOUND,
            6,
            f"Infobip does not know {PAIR_OR_TAGS} (404: RESOURCE_NOT_FOUND, Process 47A3 not found): {PAIRS}",
        ),
        (
            400,
            body("INVALID_ARGUMENT", "General error", "from", "to", policy=True),
            6,
            f"Infobip refused what was asked of {PAIR} (400: INVALID_ARGUMENT, General error, [from, to]): {PAIRS}",
        ),
        (
            429,
            body("TOO_MANY", "Rate limiting has been applied.", policy=True),
            6,
            f"Infobip is limiting our rate (429: TOO_MANY, Rate limiting has been applied): {LATER_OR_LESS}",
        ),
        (503, body("X", "Down for\nnow"), 6, f"Infobip failed at {ASKED} (503: X, Down for now): {LATER}"),
        (500, b"<html>oops</html>", 6, f"Infobip failed at {ASKED} (500): {LATER}"),
        (404, b"", 6, f"Infobip does not know {PAIR_OR_TAGS} (404): {PAIRS}"),
        (
            401,
            body("UNAUTHORIZED", "Invalid login details."),
            5,
            "Infobip refused the username and password (401: UNAUTHORIZED, Invalid login details). "
            + CREDENTIALS,
        ),
        (
            200,
            body("UNAUTHORIZED", "Invalid login details."),
            5,
            f"Infobip refused the username and password (200: UNAUTHORIZED, Invalid login details). {CREDENTIALS}",
        ),
        (
            404,
            body("NO", "No process for Aladdin:open sesame"),
            6,
            f"Infobip does not know {PAIR_OR_TAGS} (404: NO, No process for ***:***): {PAIRS}",
        ),
    ],
)  # fmt: skip
def test_an_error_body_becomes_a_sentence(
    small: VendorWorkspace, status: int, said: bytes, code: int, sentence: str
) -> None:
    """The vendor's own words, one line, and the way out; never a credential, and a refusal is asked for once."""
    fault = small.sandbox.faults.add(Fault(status=status, body=said))
    with pytest.raises(VendorError) as caught:
        read(small)
    assert str(caught.value) == sentence
    assert caught.value.exit_code == code
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert fault.delivered == 1


def test_h12_an_error_with_200_is_no_empty_answer(small: VendorWorkspace) -> None:
    """It is asked for again, and then refused: zero rows are never a success."""
    small.sandbox.faults.add(Fault(status=200, body=body("GENERAL_ERROR", "General error", policy=True)))
    report = small.run("2026-01-01", "2026-01-01")
    assert str(report.error) == (
        "Infobip answered with an error instead of data (200: GENERAL_ERROR, General error): try again later. "
        "Nothing of Infobip's counts of these days is loaded, and the next run asks again; if it stays so, ask the "
        "vendor."
    )
    assert report.exit_code == 6


def test_a_busy_vendor_is_waited_for(house: VendorWorkspace) -> None:
    """A 429 and a 503 with its body, then the answer, as if nothing had been."""
    limited = body("TOO_MANY", "Rate limiting has been applied.", policy=True)
    house.sandbox.faults.add(Fault(times=2, status=429, body=limited, headers={"Retry-After": "0.2"}))
    failed = house.sandbox.faults.add(Fault(times=2, status=503, body=body("X", "Down")))
    assert len(read(house, budget=30).good) == 1
    assert failed.delivered == 2


@pytest.mark.more
def test_s20_a_malformed_row_is_set_aside_once_and_told_once(house: VendorWorkspace) -> None:
    """The other rows load; the first night ends with 3, the next with 0, and the table of what was set aside stands."""
    vendor = house.sandbox.infobip
    house.settings["INFOBIP_PAIRS"] = json.dumps(vendor.pairs[:2])
    vendor.rows = [row("2026-01-01"), row("2026-01-02", startCount="many"), row("2026-01-03", shade="blue")]
    vendor.average = (
        '{"conversionRateStats": null, "averageConversionTime": {"time": 1, "timeUnit": "moons"}}'
    )
    first = house.run("2026-01-01", "2026-01-03")
    assert (first.error, first.exit_code, first.total("rejected_new")) == (None, 3, 2)
    assert first.unknown_fields == {"conversionRateStats": 2}
    assert house.query("select distinct day, start_count, extra from infobip.conversion_rates order by 1")[
        -1
    ][2] == ('{"conversionRateStats":{"shade":"blue"}}')
    reasons = house.query("select reason from infobip.rejected_rows order by reason")
    assert reasons == [
        ("averageConversionTime.timeUnit is neither seconds, minutes, hours nor days",),
        ("conversionRateStats.startCount is not a whole number",),
    ]
    before = tables(house.path, "infobip")
    second = house.run("2026-01-01", "2026-01-03")
    assert (second.exit_code, second.known_rejected) == (0, 2)
    assert tables(house.path, "infobip") == before


def row(day: str, **stats: Any) -> dict[str, Any]:
    frame = {"from": f"{day}T01:00:00.000+0100", "to": None}
    counts = {"startCount": 4, "endCount": 1, "conversionRate": 0.25, **stats}
    return {"startTimeFrame": frame, "endTimeFrame": None, "conversionRateStats": counts}


def test_a_row_that_is_spoilt_later_stays_as_it_was(house: VendorWorkspace) -> None:
    """Only what can be read takes the place of what is there."""
    vendor = house.sandbox.infobip
    house.settings["INFOBIP_PAIRS"] = json.dumps(vendor.pairs[:1])
    vendor.rows = [row("2026-01-01"), row("2026-01-02")]
    house.load("2026-01-01", "2026-01-02")
    vendor.rows = [row("2026-01-01", startCount=None), row("2026-01-02", startCount=5)]
    assert house.run("2026-01-01", "2026-01-02").exit_code == 3
    assert house.query("select start_count from infobip.conversion_rates order by day") == [(4,), (5,)]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("INFOBIP_PAIRS", "47A3", r"infobip_pairs is \"47A3\" in the environment .* must be list"),
        ("INFOBIP_PAIRS", "[]", "infobip_pairs is empty: name at least one process_key"),
        ("INFOBIP_PAIRS", '["47A3"]', "must be a list of tables"),
        ("INFOBIP_PAIRS", '[{"process": "47A3"}]', "has a table with process, but takes process_key"),
        ("INFOBIP_PAIRS", '[{"start_tag": "START"}]', "without a process_key"),
        ("INFOBIP_PAIRS", '[{"process_key": 47}]', "not plain text"),
        ("INFOBIP_LOOKBACK_DAYS", "0", "infobip_lookback_days is 0, but must be at least 1"),
        ("INFOBIP_START_DATE", "yesterday", 'infobip_start_date is "yesterday", which is no day'),
        ("INFOBIP_USERNAME", "a:b", "holds a colon"),
        ("INFOBIP_URL", "http://example.com", "plain http"),
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


def test_check_tells_of_every_pair(house: VendorWorkspace) -> None:
    """Counts of the last days, and a pair that the vendor does not know; one request each."""
    assert house.vendor is not None
    pairs = [house.sandbox.infobip.pairs[0], {"process_key": "47A3"}]
    house.settings["INFOBIP_PAIRS"] = json.dumps(pairs)
    with house.set():
        findings = list(house.vendor.check(resolve(house.vendor.settings, "infobip")))
    assert [one.good for one in findings] == [True, False, True]
    assert "is not provable: the vendor announces no number of rows" in findings[2].text
    assert findings[0].text.startswith(f"{pairs[0]['process_key']} from START to END: ")
    assert findings[1].text == (
        "Infobip does not know the process or tags 47A3 (404: RESOURCE_NOT_FOUND, Process not found, [47A3]): "
        "check infobip_pairs"
    )
    assert len(house.sandbox.requests) == 2


@pytest.mark.more
def test_the_readmes_script_and_the_command_make_the_same_tables(house: VendorWorkspace) -> None:
    """Five lines of dlt, and `conversync load infobip`, each in a process of its own; no credential in the output."""
    run_script(readme_script(README), house.folder, house.environment)
    arguments = ("load", "infobip", "--from", "2026-01-01", "--to", "2026-01-05", "--debug")
    done = command(*arguments, cwd=house.folder, environment=house.environment)
    assert done.code == 0, done.err
    assert not any(secret in done.out + done.err for secret in SECRETS[1:])
    days = "select columns(c -> c not like '\\_dlt%' escape '\\') from infobip.conversion_rates order by all"
    assert house.query(days)
    with duckdb.connect(str(house.folder / "rates.duckdb"), read_only=True) as alone:
        assert alone.execute(days).fetchall() == house.query(days)


@pytest.mark.more
def test_f03_an_item_of_an_old_day_is_read_the_night_after_it_was_mended(house: VendorWorkspace) -> None:
    """Weeks before the lookback: its day alone is asked for until the vendor mends it, and the row says since when."""
    vendor = house.sandbox.infobip
    house.sandbox.world.now = house.sandbox.world.day(20)
    today = house.sandbox.world.now.date()
    house.settings |= {
        "INFOBIP_PAIRS": json.dumps(vendor.pairs[:1]),
        "INFOBIP_LOOKBACK_DAYS": "3",
        "INFOBIP_START_DATE": str(today - timedelta(days=20)),
    }
    old = today - timedelta(days=15)
    vendor.rows = [row(str(old), startCount="many"), row(str(old - timedelta(days=1)))]
    first = house.run()
    assert (first.error, first.exit_code, first.total("rejected_new")) == (None, 3, 1)
    since = len(house.sandbox.requests)
    again = house.run()
    assert (again.error, again.exit_code, again.known_rejected) == (None, 0, 1)
    asked = {one.query["from"][:10] for one in house.sandbox.requests[since:]}
    assert str(old) in asked
    assert str(old + timedelta(days=5)) not in asked
    vendor.rows = [row(str(old)), row(str(old - timedelta(days=1)))]
    mended = house.load()
    assert mended.known_rejected == 0
    assert house.query("select count(*), count(resolved_at) from infobip.rejected_rows") == [(1, 1)]
    assert house.query("select count(*) from infobip.conversion_rates") == [(2,)]
