"""A tracker that refuses, or is none: one sentence that says what to change, and never the key."""

from __future__ import annotations

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, RequestRejectedError, SettingsError
from conversync.sandbox import Fault, World
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, REPORT
from tests.keitaro.conftest import MakeHouse


def test_a_wrong_key_is_an_end_at_once(house: VendorWorkspace) -> None:
    """Exit 5, two requests (days elsewhere might be answered), and where the key stands."""
    house.settings["KEITARO_API_KEY"] = "canary-0b5e"
    report = house.run()
    assert isinstance(report.error, CredentialsError)
    assert report.exit_code == 5
    assert str(report.error) == (
        "Keitaro refused the API key (401: Invalid API key). "
        "Check keitaro_api_key in .dlt/secrets.toml or KEITARO_API_KEY."
    )
    assert len(house.sandbox.requests) <= 2


def test_an_edition_without_an_api_is_named(make_house: MakeHouse) -> None:
    """402 is not asked for again."""
    house = make_house(World(days=1), Variants(edition="no_api"))
    report = house.run()
    assert isinstance(report.error, RequestRejectedError)
    assert "this edition of the tracker has no API" in str(report.error)
    assert (report.exit_code, len(house.sandbox.requests)) == (6, 1)


LOG_REFUSED = "Keitaro refused POST /admin_api/v1/conversions/log (406"
REPORT_REFUSED = "Keitaro refused POST /admin_api/v1/report/build (406"
BOTH = "check keitaro_report_grouping and keitaro_start_date and keitaro_zone."


@pytest.mark.parametrize(
    ("path", "body", "sentence", "times"),
    [
        (
            LOG,
            b'{"limit":["at most 500"]}',
            f"{LOG_REFUSED}: limit: at most 500): check keitaro_page_size.",
            1,
        ),
        (
            REPORT,
            b'{"grouping":["unknown","empty"],"range":["too long"]}',
            f"{REPORT_REFUSED}: grouping: unknown, empty; range: too long): {BOTH}",
            2,
        ),
        (REPORT, b'{"novel":"thing"}', f"{REPORT_REFUSED}: novel: thing): check the keitaro_ settings.", 2),
        (REPORT, b"no JSON \x00", f"{REPORT_REFUSED}: no JSON): check the keitaro_ settings.", 6),
    ],
)
def test_a_wrong_field_is_named_with_its_setting(
    house: VendorWorkspace, path: str, body: bytes, sentence: str, times: int
) -> None:
    """406 names fields and messages: they end in the sentence, and the setting each comes from."""
    fault = house.sandbox.faults.add(Fault(path=path, status=406, body=body))
    report = house.run()
    assert isinstance(report.error, RequestRejectedError)
    # The report is asked for in its other words, too; and where nobody says what is wrong, over fewer days.
    assert (str(report.error), fault.delivered) == (sentence, times)


@pytest.mark.parametrize("front", ["html_200", "html_404"])
def test_a_web_page_is_no_tracker(make_house: MakeHouse, front: str) -> None:
    """A wrong domain or a bot check answers with HTML: the address is to be looked at; its text is not shown."""
    house = make_house(World(days=1), Variants(front=front))  # type: ignore[arg-type] # one of the two
    report = house.run()
    assert isinstance(report.error, InvalidResponseError)
    assert "web page instead of data" in str(report.error)
    assert "keitaro_url" in str(report.error)
    assert "Sign in" not in str(report.error)
    assert len(house.sandbox.requests) <= 4


def test_an_unknown_path_is_a_wrong_address(house: VendorWorkspace) -> None:
    """404 with JSON."""
    house.sandbox.faults.add(Fault(path=LOG, status=404, body=b'{"error":"Not found"}'))
    report = house.run()
    assert str(report.error) == (
        "Keitaro does not know POST /admin_api/v1/conversions/log (404: Not found): check keitaro_url. "
        "Nothing of Keitaro's conversions of 2026-01-01 .. 2026-01-08 is loaded, and the next run asks again; "
        "if it stays so, ask the vendor."
    )


@pytest.mark.quick(1)
@pytest.mark.parametrize("body", [b'{"error":"busy"}', b'{"rows":null,"total":0}', b"", b"[]"])
def test_a_success_without_rows_is_none(house: VendorWorkspace, body: bytes) -> None:
    """An answer of another form is asked for again a few times, then refused; it is never an empty window."""
    house.sandbox.faults.add(Fault(path=LOG, body=body))
    report = house.run()
    assert isinstance(report.error, InvalidResponseError)
    assert (report.exit_code, report.steps) == (6, [])


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("KEITARO_URL", "", "keitaro_url"),
        ("KEITARO_URL", "http://tracker.example.com", "keitaro_url"),
        ("KEITARO_API_KEY", "", "keitaro_api_key"),
        ("KEITARO_API_KEY", "<your key>", "keitaro_api_key"),
        ("KEITARO_ZONE", "Mars/Base", "keitaro_zone"),
        ("KEITARO_LOOKBACK_DAYS", "0", "keitaro_lookback_days"),
        ("KEITARO_PAGE_SIZE", "0", "keitaro_page_size"),
        ("KEITARO_CONCURRENCY", "x", "keitaro_concurrency"),
        ("KEITARO_START_DATE", "soon", "keitaro_start_date"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_before_any_request(
    house: VendorWorkspace, setting: str, value: str, named: str
) -> None:
    """Exit 2, naming the setting and not its value."""
    house.settings[setting] = value
    with pytest.raises(SettingsError) as refused:
        house.run()
    assert named in str(refused.value)
    assert house.sandbox.requests == []


def test_the_key_is_nowhere_in_the_warehouse(house: VendorWorkspace) -> None:
    """Not a byte of it, in no table and no file."""
    house.load()
    key = house.sandbox.keitaro.api_key.encode()
    files = [file for file in house.folder.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if key in file.read_bytes()] == []
