"""The forms in which a framework and its upgrades answer: the same rows, the same day, and an error that is one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from conversync.errors import CredentialsError, InvalidResponseError
from conversync.extract.page_decoder import PageDecoder
from conversync.http.body_status import BodyStatusError
from conversync.sandbox import Fault, World
from conversync.sandbox.besitos import parse_variants
from sources.besitos import feed
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row, text
from tests.support import Workspace, at_once, sometimes, tables, view_totals

STORY = (date(2025, 12, 30), date(2026, 6, 30))


def ended(make_house: MakeHouse, *pairs: str) -> Workspace:
    """A story of six days that is told to its end."""
    house = make_house(World(days=6, conversions_a_day=8), parse_variants(pairs))
    house.sandbox.world.now = house.sandbox.world.last_change()
    house.vendor = at_once()
    return house


@pytest.mark.more
@pytest.mark.parametrize("dates", ["zulu", "offset"])
def test_f01_an_instant_with_an_offset_is_that_instant(make_house: MakeHouse, dates: str) -> None:
    """After the framework's upgrade nothing is new: not the days, not a statement, and no row is set aside."""
    house = ended(make_house)
    house.load(*STORY)
    before, totals = tables(house.path), view_totals(house.path)
    house.sandbox.besitos.variants = parse_variants([f"dates={dates}"])
    report = house.load(*STORY)
    assert (report.total("added"), report.total("restated"), report.known_rejected) == (0, 0, 0)
    assert tables(house.path) == before
    assert view_totals(house.path) == totals
    assert house.query("select count(*) > 0 from besitos.conversion_events") == [(True,)]


# id -> (the feed's text, the instant, the day in EST)
TIMES = {
    "zulu": ("2024-12-05T03:00:00.000000Z", "2024-12-05T03:00:00", "2024-12-04"),
    "offset": ("2024-12-05T00:30:00+02:00", "2024-12-04T22:30:00", "2024-12-04"),
    "offset-without-colon": ("2024-12-04 23:59:59 -0500", "2024-12-05T04:59:59", "2024-12-04"),
    "utc": ("2024-12-05 05:00:00 UTC", "2024-12-05T05:00:00", "2024-12-05"),
    "nanoseconds": ("2024-12-05T04:59:59.999999999Z", "2024-12-05T04:59:59.999999", "2024-12-04"),
    "plain": ("2024-12-04 23:59:59", "2024-12-05T04:59:59", "2024-12-04"),
    "a-fraction-without-offset": ("2024-12-04 23:59:59.5", "2024-12-05T04:59:59.500000", "2024-12-04"),
}


def test_f01_forms_may_be_mixed_on_one_page(house: Workspace) -> None:
    """Each row by its own: `date_time` as it came, the instant, and the day in the vendor's zone."""
    house.sandbox.besitos.rows = [
        row(number, date_time=told) for number, (told, _, _) in enumerate(TIMES.values())
    ]
    house.load(FROM, TO)
    columns = "date_time, occurred_at, occurred_on"
    assert house.query(f"select {columns} from besitos.conversion_events order by transaction_id") == [
        (told, datetime.fromisoformat(at).replace(tzinfo=UTC), date.fromisoformat(day))
        for told, at, day in TIMES.values()
    ]


def test_f01_of_two_contents_the_later_instant_wins(house: Workspace) -> None:
    """By the time, not by the letters of its text: 11:00 at +09:00 is before 03:00 UTC."""
    rows = [
        row(1, date_time="2024-12-04T11:00:00+09:00", payout=1),
        row(1, date_time="2024-12-04T03:00:00Z", payout=2),
    ]
    house.sandbox.besitos.rows = rows
    house.run(FROM, TO)
    assert house.query("select payout from besitos.conversions") == [(2,)]


@pytest.mark.more
def test_f05_rows_under_numbers_are_rows(make_house: MakeHouse) -> None:
    """A list that lost some of its rows comes as an object with digit keys: the same tables, nothing set aside."""
    house = ended(make_house)
    house.load(*STORY)
    before = tables(house.path)
    house.sandbox.besitos.variants = parse_variants(["data=object", "page_cap=20"])
    report = house.load(*STORY)
    assert (report.total("added"), report.total("restated"), report.known_rejected) == (0, 0, 0)
    assert tables(house.path) == before


@pytest.mark.parametrize(
    "data", ['{"a":{}}', '{"1":{},"1":{}}', '{"0":{},"x":{}}', "{}", '{"0":{},', "null"], ids=str
)
def test_f05_what_is_no_list_is_refused(data: str) -> None:
    """Names, a number twice, an empty object: not a page of the feed."""
    with pytest.raises(InvalidResponseError, match="cannot be used"):
        feed.decoder().decode(f'{{"data":{data},"links":{{}},"meta":{{"total":1}}}}'.encode())


FAST = {
    "plain": [row(number) for number in range(3)],
    "reversals": [row(1), reversal(1)],
    "instants": [row(1, date_time="2024-12-04T11:24:55.000000Z"), row(2)],
    "an object": {"1": row(1), "7": row(2)},
    "nothing": [],
}


@pytest.mark.parametrize("case", FAST)
def test_what_frameworks_write_takes_the_fast_path(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instants and digit keys are no reason to parse a page twice."""
    monkeypatch.delattr(PageDecoder, "_strict")
    page = {"data": FAST[case], "links": {"next": None}, "meta": {"total": 3}}
    decoded = feed.decoder().decode(json.dumps(page, separators=(",", ":")).encode())
    assert decoded.received == len(FAST[case])


@pytest.mark.more
@pytest.mark.parametrize(
    ("envelope", "error", "sentence"),
    [
        (
            "error",
            InvalidResponseError,
            "Besitos answered GET /data/partner/conversions with an error instead of",
        ),
        ("status", CredentialsError, "Besitos refused the token (401). Check besitos_token"),
    ],
)
def test_b10_an_envelope_that_speaks_of_an_error_is_one(
    make_house: MakeHouse, envelope: str, error: type[Exception], sentence: str
) -> None:
    """200, no rows, a total of 0, and a word of what is wrong: no success, and the next run is whole."""
    house = ended(make_house, f"envelope={envelope}")
    report = house.run(*STORY)
    assert isinstance(report.error, error)
    assert sentence in str(report.error)
    assert (report.exit_code, report.steps) == (5 if error is CredentialsError else 6, [])
    assert house.sandbox.besitos.reads == []
    assert house.query("select * from information_schema.tables where table_schema = 'besitos'") == []
    house.sandbox.besitos.variants = parse_variants([])
    house.load(*STORY)
    assert house.query("select count(*) > 0 from besitos.conversion_events") == [(True,)]


# What an envelope says of an error, and which status that is; then what says nothing of the kind.
SPOKEN: list[tuple[str, int | None]] = [
    ('"error":"Token expired"', None),
    ('"error":{"message":"x"}', None),
    ('"errors":{"from_date":["?"]}', None),
    ('"errors":["?"]', None),
    ('"success":false', None),
    ('"status":"error"', None),
    ('"status":401', 401),
    ('"status":"500"', 500),
    ('"statusCode":404', 404),
]
SILENT = [
    '"error":null',
    '"errors":[]',
    '"success":true',
    '"status":200',
    '"status":"ok"',
    '"message":"x"',
    '"error":false',
]


@pytest.mark.parametrize(
    "rows", ['"data":[]', '"data":[' + text(1) + "]", '"x":1'], ids=["empty", "rows", "no list"]
)
@pytest.mark.parametrize(("said", "status"), SPOKEN)
def test_b10_however_it_is_said(rows: str, said: str, status: int | None) -> None:
    """Whether rows come with it or no list at all: the error comes first, with the status that it names."""
    with pytest.raises(BodyStatusError) as caught:
        feed.decoder().decode(f'{{{rows},"links":{{}},"meta":{{"total":0}},{said}}}'.encode())
    assert caught.value.told == status


@pytest.mark.parametrize("said", SILENT)
def test_b10_what_is_no_error_is_none(said: str) -> None:
    """An empty list of errors, a status of 200 and a friendly message are read past."""
    decoded = feed.decoder().decode(
        f'{{"data":[{text(1)}],"links":{{}},"meta":{{"total":1}},{said}}}'.encode()
    )
    assert decoded.received == 1


@pytest.mark.parametrize("envelope", sometimes({"status": 503}, {"status": 429}, quick=1, ids=str))
def test_b10_a_vendor_that_is_busy_in_its_body_is_waited_for(
    house: Workspace, envelope: dict[str, Any]
) -> None:
    """As if HTTP had said so: asked again until it answers."""
    house.sandbox.besitos.rows = [row(1)]
    busy = house.sandbox.faults.add(
        Fault(times=2, mutate=lambda document, _: {**document, "data": [], **envelope})
    )
    house.load(FROM, TO)
    assert busy.delivered == 2
    assert house.query("select count(*) from besitos.conversion_events") == [(1,)]
