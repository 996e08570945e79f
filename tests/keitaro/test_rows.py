"""What a row may look like: exact money, ids and times in every spelling, and bad rows that cost only themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversync.extract.decoded import Decoded
from conversync.extract.page_decoder import PageDecoder
from sources.keitaro import log, report
from tests.houses import VendorWorkspace
from tests.keitaro.books import conversion, money

PLAIN: dict[str, list[str]] = {
    "event_id": ['"c1"', "17", '"17"', "null", "12345678901234567890123"],
    "conversion_id": ['"c1"', "17"],
    "datetime": [
        '"2026-01-05 10:00:00"',
        '""',
        "null",
        '"0000-00-00 00:00:00"',
        '"0000-00-00T00:00:00.000Z"',
        '"2026-01-05T10:00:00Z"',
        '"2026-01-05 10:00:00.5"',
        '" "',
        '"2026-13-01 00:00:00"',
        "5",
    ],
    "status": ['"lead"', '""', "null", "1", '"\\u001f"', '"a\\"b"'],
    "status_history": [
        '[{"status":"lead"}]',
        '"lead,sale"',
        "null",
        "{}",
        '{"a":1,"a":2}',
        '"a\\"b"',
        "[1e999]",
    ],
    "version": ["1", '"2"', '""', "null", '"x"', "1.0", "true", "9223372036854775808", '"12.00"', "[]"],
    "revenue": [
        "1.5",
        '""',
        "{}",
        '"1.50"',
        "null",
        '""',
        '"1,5"',
        "1e3",
        '"1e3"',
        '".5"',
        "-0.0000005",
        '" 1"',
        "true",
    ],
    "cost": ["0", '"0"', '"-1.25"', '"null"', '"-"', "999999999999.9999999"],
    "tid": ['"t1"', "2601266", "-0", "1.50", "24.0", "1e3", "null", "[]", "{}", '[""]'],
    "campaign_id": ["3", '"3"', '""', "null", "-1", '"1.0"'],
    "other": ["1", '"x"', "null", "{}"],
}


@st.composite
def page(draw: st.DrawFn) -> bytes:
    """A page of a few rows, most of their values right."""
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        pairs = []
        for name, values in PLAIN.items():
            often = draw(st.integers(0, 9))
            if often == 0 or (name in ("conversion_id", "other") and often < 9):
                continue
            pairs.append((name, values[0] if often < 7 else draw(st.sampled_from(values))))
        if draw(st.integers(0, 19)) == 0 and pairs:
            pairs.append(pairs[0])
        rows.append("{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}")
    return f'{{"rows":[{",".join(rows)}],"total":{len(rows)},"meta":[]}}'.encode()


def seen(decoded: Decoded) -> tuple[Any, ...]:
    """What a reader of the tables can tell of a page."""
    return (
        decoded.envelope["total"],
        decoded.table.to_pylist(),
        [(bad.raw, bad.reason) for bad in decoded.rejected],
        dict(decoded.unknown),
    )


def decoders(columns: Sequence[str]) -> tuple[PageDecoder, PageDecoder]:
    """Of the same rows: one that may take the fast path, and one that never can, as it misses a key."""
    made = [log._decoder(columns, beside) for beside in (("total", "meta"), ("total", "meta", "never"))]  # noqa: SLF001 - how rows are decoded is the subject
    return made[0], made[1]


FAST, SLOW = decoders(log.COLUMNS)


@settings(max_examples=60, deadline=None)
@given(page())
def test_both_ways_of_decoding_agree(body: bytes) -> None:
    """The fast way and the strict one accept the same rows, with the same values and the same reasons."""
    assert seen(FAST.decode(body)) == seen(SLOW.decode(body))


@pytest.mark.more
@pytest.mark.long
@settings(max_examples=5_000, deadline=None)
@given(page())
def test_both_ways_of_decoding_agree_at_length(body: bytes) -> None:
    """As above, for thousands of pages."""
    assert seen(FAST.decode(body)) == seen(SLOW.decode(body))


@pytest.mark.parametrize(
    "row",
    [
        '{"event_id":"c1","datetime":"2026-01-05 10:00:00","status":"lead","revenue":"1.50","tid":17}',
        '{"conversion_id":17,"postback_datetime":"2026-01-05 10:00:00","revenue":2,"cost":"0.1","sub_id_3":""}',
        '{"event_id":"c1","status_history":[{"status":"lead","datetime":"2026-01-05 10:00:00"}],"version":"3"}',
    ],
)
def test_what_trackers_write_takes_the_fast_way(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numeric strings, numeric ids and nested values are no reason to parse a page twice."""
    monkeypatch.delattr(PageDecoder, "_strict")
    decoded = FAST.decode(f'{{"rows":[{row}],"total":1,"meta":[]}}'.encode())
    assert decoded.received == 1


def test_days_and_counts_decode_alike_on_both_paths() -> None:
    """As above, for the report."""
    asked = report.asked_for(["day", "campaign_id"], ["clicks", "revenue"])
    fast, slow = (
        PageDecoder(
            asked.fields, rows="rows", beside=beside, check=lambda _: None, check_table=lambda _: True
        )
        for beside in (("total",), ("total", "never"))
    )
    days = [
        '"2026-01-31"',
        '"2026-01-31 00:00:00"',
        '"2026-02-31"',
        "20260131",
        '"x"',
        "null",
        '"2026-01-31T00:00:00.000000Z"',
    ]
    days += ['"2026-01-31T22:00:00+00:00"', '"2026-01-31T10:00:00"']
    counts = ["3", '"3"', '"3.00"', "3.5", '""', "null", '"x"']
    for day in days:
        for clicks in counts:
            row = f'{{"day":{day},"campaign_id":1,"clicks":{clicks},"revenue":"1.5"}}'
            body = f'{{"rows":[{row}],"total":1}}'.encode()
            assert seen(fast.decode(body)) == seen(slow.decode(body)), row


@pytest.mark.long
def test_money_is_what_was_written(house: VendorWorkspace) -> None:
    """Numbers and numeric strings, to the sixth decimal, never through a float."""
    texts = ["0.1", '"0.2"', "11.049999999999999", '"1234567.891234"', "-3", '".40"', "1e2", "null"]
    house.sandbox.keitaro.rows = [
        f'{{"event_id":"c{number}","datetime":"2026-01-05 10:00:00","revenue":{text}}}'
        for number, text in enumerate(texts)
    ]
    house.load()
    amounts = ["0.1", "0.2", "11.05", "1234567.891234", "-3", "0.4", "100"]
    rows = house.query("select revenue from keitaro.conversion_events order by conversion_id")
    assert [row[0] for row in rows] == [*map(money, amounts), None]


def test_bad_rows_are_set_aside_and_the_others_load(house: VendorWorkspace) -> None:
    """Each with its reason and its JSON as served; the same bad row tomorrow is no news."""
    bad = {
        conversion_text(2, revenue="N/A"): "revenue is not a number",
        conversion_text(3, datetime="yesterday"): "datetime is not a time like 2024-12-04 06:25:36",
        conversion_text(4, campaign_id="one"): "campaign_id is not a whole number",
        '{"event_id":"c5","status":"lead","status":"sale"}': 'the key "status" stands twice in one object',
        '"c6"': "the row is a text, not an object",
    }
    house.sandbox.keitaro.rows = [conversion(1), *bad]
    report = house.run()
    assert (report.error, report.exit_code, report.total("rejected_new")) == (None, 3, len(bad))
    held = dict(house.query("select raw, reason from keitaro.rejected_rows"))
    assert held.keys() == bad.keys()
    assert {raw: reason for raw, reason in held.items() if "twice" not in reason} == {
        raw: reason for raw, reason in bad.items() if "twice" not in reason
    }
    assert house.query("select conversion_id from keitaro.conversions") == [("c1",)]
    assert house.run().exit_code == 0


def conversion_text(number: int, **fields: Any) -> str:
    """A row as its JSON text."""
    return json.dumps(conversion(number, **fields))


@pytest.mark.long
def test_unknown_fields_are_kept_and_counted(house: VendorWorkspace) -> None:
    """A field that nobody asked for ends in `extra`, is told in the summary, and makes no new statement."""
    house.sandbox.keitaro.rows = [conversion_text(1, novelty={"a": [1]}), conversion_text(2)]
    report = house.load()
    assert dict(report.unknown_fields) == {"novelty": 1}
    query = "select conversion_id, cast(extra as varchar) from keitaro.conversion_events order by all"
    assert house.query(query) == [("c1", '{"novelty":{"a":[1]}}'), ("c2", None)]
    house.sandbox.keitaro.rows = [conversion_text(1, novelty="other"), conversion_text(2)]
    assert house.load().total("added") == 0


def test_a_conversion_posted_again_is_the_same_one_on_another_day(house: VendorWorkspace) -> None:
    """Its time moves into another window; its id stays, and so does its row: one conversion, two statements."""
    house.sandbox.keitaro.rows = [conversion(1, datetime="2026-01-02 10:00:00", version=1)]
    house.load("2026-01-01", "2026-01-03")
    house.sandbox.keitaro.rows = [conversion(1, datetime="2026-01-07 08:00:00", version=2, status="sale")]
    report = house.load("2026-01-06", "2026-01-08")
    assert (report.total("added"), report.total("restated")) == (1, 1)
    statements = house.query(
        "select status, occurred_at, valid_to is null from keitaro.conversion_events order by valid_from"
    )
    assert statements == [
        ("lead", datetime(2026, 1, 2, 10, tzinfo=UTC), False),
        ("sale", datetime(2026, 1, 7, 8, tzinfo=UTC), True),
    ]
    # The earlier window no longer has it, and closes nothing.
    house.sandbox.keitaro.rows = []
    house.load("2026-01-01", "2026-01-03")
    assert house.query("select status, statements from keitaro.conversions") == [("sale", 2)]


def test_times_are_utc_and_days_the_settings_zone(house: VendorWorkspace) -> None:
    """`occurred_at` is the instant, `occurred_on` its day in `keitaro_zone`; an empty time and a zero date are none."""
    house.settings["KEITARO_ZONE"] = "America/New_York"
    house.sandbox.keitaro.rows = [
        conversion(1, datetime="2026-01-05 04:59:59"),
        conversion(2, datetime="2026-01-05 05:00:00", click_datetime="", sale_datetime="0000-00-00 00:00:00"),
    ]
    house.load()
    columns = "date_time, occurred_at, cast(occurred_on as varchar), click_datetime, sale_datetime"
    rows = house.query(f"select {columns} from keitaro.conversion_events order by conversion_id")
    clicked = datetime(2026, 1, 4, 9, tzinfo=UTC)
    assert rows == [
        ("2026-01-05 04:59:59", datetime(2026, 1, 5, 4, 59, 59, tzinfo=UTC), "2026-01-04", clicked, None),
        ("2026-01-05 05:00:00", datetime(2026, 1, 5, 5, tzinfo=UTC), "2026-01-05", None, None),
    ]


def test_j13_a_word_that_cannot_be_stored_costs_no_money(house: VendorWorkspace) -> None:
    """It is replaced and kept as it came; in an id, a click, a tid, a currency it costs the row: two may be one."""
    half = "\\ud83d"
    house.sandbox.keitaro.rows = [
        conversion_text(1, sub_id_1="x").replace('"x"', f'"summer {half}"'),
        *(
            conversion_text(number, **{name: "x"}).replace('"x"', f'"x{half}"')
            for number, name in enumerate(("event_id", "sub_id", "tid", "currency"), 2)
        ),
    ]
    report = house.run()
    assert (report.error, report.exit_code, report.total("rejected_new")) == (None, 3, 4)
    reasons = house.query("select reason from keitaro.rejected_rows order by all")
    assert reasons == [
        (f"{name} holds a character that cannot be stored",)
        for name in ("currency", "event_id", "sub_id", "tid")
    ]
    query = "select sub_id_1, cast(extra as varchar), revenue from keitaro.conversion_events"
    [(word, extra, revenue)] = house.query(query)
    assert (word, json.loads(extra)) == ("summer \ufffd", {"sub_id_1": f"summer {half}"})
    assert revenue == money(str(conversion(1)["revenue"]))
    assert dict(report.unknown_fields) == {"sub_id_1 (not as it came)": 1}
    assert (house.load().total("added"), house.load().total("restated")) == (0, 0)
