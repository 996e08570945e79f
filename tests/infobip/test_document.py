"""The document read closely: its samples as they stand, the names of its tables, and what it leaves open."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from conversync.errors import InvalidResponseError
from conversync.extract.windows import Window
from conversync.http.client import Response
from sources.infobip.pairs import Pair
from sources.infobip.statistics import Frame, Rows, frames, rates, stamp, times

# Verbatim, with its spaces.
BY_DATE = """
{
 "conversionRates": [
   {
     "startTimeFrame": {
       "from": "2014-10-10T02:00:00.000+0200",
       "to": "2014-10-11T02:00:00.000+0200"
     },
     "endTimeFrame": null,
     "conversionRateStats": {
       "startCount": 1,
       "endCount": 1,
       "conversionRate": 1
     }
   }
 ],
 "granulation": "DAY"
}"""
AVERAGE = """
{
 "startTag": "START",
 "endTag": "END",
 "startTagTimeFrame": {
   "from": "2014-09-10T15:55:09.647+0200",
   "to": "2014-10-10T15:55:09.647+0200"
 },
 "endTagTimeFrame": {
   "from": "2014-09-10T15:55:09.647+0200",
   "to": "2014-10-10T15:55:09.647+0200"
 },
 "conversionRateStats": {
   "startCount": 1,
   "endCount": 1,
   "conversionRate": 1
 },
 "averageConversionTime": {
   "time": 774,
   "timeUnit": "SECONDS"
 }
}"""
PAIR = Pair("47A3614FB229EBEA88ED45E72BB07D3E", "START", "END")
OCTOBER = Window(date(2014, 10, 1), date(2014, 10, 31))
BEGIN, END = (datetime(2014, month, 10, 13, 55, 9, 647000, UTC) for month in (9, 10))
ASKED = Frame(BEGIN, END, BEGIN, END)
FROM = "startTimeFrame.from"
TODAY = date(2014, 10, 31)


def answer(document: object) -> Response:
    text = document if isinstance(document, str) else json.dumps(document)
    return Response(200, {"Content-Type": "application/json"}, text.encode(), "Infobip")


def bucket(day: str = "2014-10-10", **changes: Any) -> dict[str, Any]:
    begins = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    frame = {"from": stamp(begins), "to": stamp(begins + timedelta(days=1))}
    stats = {"startCount": 4, "endCount": 1, "conversionRate": 0.25}
    return {"startTimeFrame": frame, "endTimeFrame": None, "conversionRateStats": stats, **changes}


def stats(**changes: Any) -> dict[str, Any]:
    return {"conversionRateStats": {"startCount": 4, "endCount": 1, "conversionRate": 0.25, **changes}}


def by_date(*rows: Any, **beside: Any) -> Rows:
    return rates(answer({"conversionRates": list(rows), "granulation": "DAY", **beside}), PAIR, OCTOBER)


def average(**changes: Any) -> Rows:
    return times(answer({**json.loads(AVERAGE), **changes}), PAIR, ASKED, TODAY)


def test_the_sample_by_date_is_one_utc_day() -> None:
    """02:00 in +0200 is midnight: 10 October, one start, one end."""
    [row] = rates(answer(BY_DATE), PAIR, OCTOBER).good
    assert row == {
        "process_key": PAIR.process_key,
        "start_tag": "START",
        "end_tag": "END",
        "day": date(2014, 10, 10),
        "start_count": 1,
        "end_count": 1,
        "conversion_rate": 1.0,
        "granulation": "DAY",
        "start_frame_from": datetime(2014, 10, 10, tzinfo=UTC),
        "start_frame_to": datetime(2014, 10, 11, tzinfo=UTC),
        "end_frame_from": None,
        "end_frame_to": None,
        "average_seconds": None,
        "average_time": None,
        "time_unit": None,
        "answered_start_tag": None,
        "answered_end_tag": None,
        "extra": None,
    }


def test_the_sample_of_the_average_is_774_seconds() -> None:
    """Under the windows asked for, with the tags as the vendor names them."""
    [row] = times(answer(AVERAGE), PAIR, ASKED, TODAY).good
    assert {**row} == {
        **PAIR._asdict(),
        **ASKED._asdict(),
        "window_days": 30,
        "average_seconds": 774.0,
        "average_time": 774.0,
        "time_unit": "SECONDS",
        "start_count": 1,
        "end_count": 1,
        "conversion_rate": 1.0,
        "answered_start_tag": "START",
        "answered_end_tag": "END",
        "extra": None,
    }


def test_times_travel_in_the_form_of_the_sample() -> None:
    """Milliseconds, and an offset without colon."""
    assert stamp(datetime(2014, 9, 10, 13, 55, 9, 647000, UTC)) == "2014-09-10T13:55:09.647+0000"
    [day, trailing] = frames(Window(date(2014, 10, 10), date(2014, 10, 10)), trailing=True)
    assert day.params == {
        "from": "2014-10-10T00:00:00.000+0000",
        "to": "2014-10-10T23:59:59.999+0000",
        "end-tag-from": "2014-10-10T00:00:00.000+0000",
        "end-tag-to": "2014-11-08T23:59:59.999+0000",
    }
    assert trailing.params["from"] == trailing.params["end-tag-from"] == "2014-09-11T00:00:00.000+0000"
    assert trailing.params["to"] == trailing.params["end-tag-to"] == "2014-10-10T23:59:59.999+0000"


@pytest.mark.parametrize(
    "begins",
    [
        "2014-10-10T01:00:00.000+0100",
        "2014-10-09T19:30:00.000-0430",
        "2014-10-10T02:00:00+02:00",
        "2014-10-10T00:00:00Z",
    ],
)
def test_s20_a_day_is_utc_in_whatever_offset_it_is_shown(begins: str) -> None:
    """With or without a colon, milliseconds, or a named offset at all."""
    [row] = by_date(bucket(startTimeFrame={"from": begins, "to": None})).good
    assert row["day"] == date(2014, 10, 10)


@pytest.mark.parametrize(
    "rate", ["0", "null", '"NaN"', "NaN", "-Infinity", '"Infinity"', '"n/a"', "1e999", "{}"]
)
def test_s20_a_zero_start_count_has_no_rate_whatever_came(rate: str) -> None:
    """0, null and NaN, bare or in quotes: the rate is null, the counts are kept."""
    text = json.dumps({"conversionRates": [bucket(**stats(startCount=0, endCount=0, conversionRate="RATE"))]})
    found = rates(answer(text.replace('"RATE"', rate)), PAIR, OCTOBER)
    assert [(row["start_count"], row["end_count"], row["conversion_rate"]) for row in found.good] == [
        (0, 0, None)
    ]
    body = AVERAGE.replace('"startCount": 1', '"startCount": 0').replace(
        '"conversionRate": 1', f'"conversionRate": {rate}'
    )
    [row] = times(answer(body), PAIR, ASKED, TODAY).good
    assert (row["start_count"], row["conversion_rate"]) == (0, None)


@pytest.mark.parametrize(
    ("amount", "unit", "seconds"),
    [
        (774, "SECONDS", 774),
        (13, "minutes", 780),
        (2, "Hours", 7200),
        (1, "DAY", 86400),
        (1.5, "days", 129600),
        ("90", "second", 90),
        (0, "SECONDS", 0),
    ],
)
def test_the_average_is_in_seconds_whatever_the_unit(amount: Any, unit: str, seconds: float) -> None:
    """The words of the table and the constants of the samples, in any letters; what came is kept beside."""
    [row] = average(averageConversionTime={"time": amount, "timeUnit": unit}).good
    assert (row["average_seconds"], row["average_time"], row["time_unit"]) == (seconds, float(amount), unit)


def test_nobody_converted_is_no_error() -> None:
    """A null average, or null counts, are nulls in the row."""
    [row] = average(averageConversionTime=None, conversionRateStats=None).good
    assert (row["average_seconds"], row["start_count"], row["conversion_rate"]) == (None, None, None)


def test_the_names_of_the_table_are_read_like_those_of_the_sample() -> None:
    """`startTagTimeFrame` by date, `startTimeFrame` in the average; `Granulation by days`; tags, where they come."""
    row = bucket(startTag="START", endTag="END", averageConversionTime={"time": 2, "timeUnit": "minutes"})
    row["startTagTimeFrame"], row["endTagTimeFrame"] = (
        row.pop("startTimeFrame"),
        {"from": stamp(BEGIN), "to": stamp(END)},
    )
    del row["endTimeFrame"]
    [held] = by_date(row, granulation="Granulation by days").good
    assert (held["day"], held["granulation"]) == (date(2014, 10, 10), "Granulation by days")
    assert (held["end_frame_from"], held["end_frame_to"]) == (BEGIN, END)
    assert (held["answered_start_tag"], held["answered_end_tag"], held["average_seconds"]) == (
        "START",
        "END",
        120,
    )
    renamed = {
        name.replace("TagTimeFrame", "TimeFrame"): value for name, value in json.loads(AVERAGE).items()
    }
    assert times(answer(renamed), PAIR, ASKED, TODAY).good == times(answer(AVERAGE), PAIR, ASKED, TODAY).good


def test_unknown_fields_are_kept_and_counted() -> None:
    """Of a row, of what stands in it, and of the document around it."""
    found = by_date(bucket(osType="IOS", **stats(median=3)), account="A")
    assert json.loads(found.good[0]["extra"]) == {
        "osType": "IOS",
        "conversionRateStats": {"median": 3},
        "account": "A",
    }
    assert found.unknown == {"osType": 1, "conversionRateStats": 1, "account": 1}
    assert json.loads(average(osType="IOS").good[0]["extra"]) == {"osType": "IOS"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (7, "the row is a number, not an object"),
        ({}, f"{FROM} is missing"),
        (bucket(startTimeFrame={"from": "2014-10-10"}), f"{FROM} is not a time like 2014-09-10T15:55:09.647+0200"),
        (bucket(startTimeFrame={"from": "2014-13-10T00:00:00.000+0000"}), f"{FROM} is a time that does not exist"),
        (bucket(startTimeFrame={"from": "2014-10-10T00:00:00.000+0200"}), "startTimeFrame is not a day in UTC"),
        (
            bucket(startTimeFrame={"from": "2014-10-10T00:00:00.000+0000", "to": "2014-10-17T00:00:00.000+0000"}),
            "startTimeFrame is not a day in UTC",
        ),
        (bucket("2014-12-24"), "the day lies outside those that were asked for"),
        (bucket(conversionRateStats=None), "conversionRateStats.startCount is missing"),
        (bucket(**stats(startCount=-1)), "conversionRateStats.startCount is negative"),
        (bucket(**stats(endCount=1.5)), "conversionRateStats.endCount is not a whole number"),
        (bucket(conversionRateStats=[1]), "conversionRateStats is not an object"),
        (bucket(STARTTIMEFRAME=1), "the key starttimeframe stands twice, in different letters"),
        (
            bucket(averageConversionTime={"time": 3, "timeUnit": "fortnights"}),
            "averageConversionTime.timeUnit is neither seconds, minutes, hours nor days",
        ),
    ],
)  # fmt: skip
def test_a_malformed_row_costs_that_row(row: Any, reason: str) -> None:
    """The others of the answer load; the row stands aside with its reason."""
    found = by_date(bucket("2014-10-09"), row, bucket("2014-10-11"))
    assert [one["day"].day for one in found.good] == [9, 11]
    assert [one.reason for one in found.rejected] == [reason]
    assert found.received == 3


def test_a_malformed_average_is_set_aside() -> None:
    """An average that cannot be told in seconds, and one with a key twice: neither is guessed at."""
    found = average(averageConversionTime={"time": 3})
    assert (found.good, found.received) == ([], 1)
    assert (
        found.rejected[0].reason
        == "averageConversionTime.timeUnit is neither seconds, minutes, hours nor days"
    )
    twice = times(answer(AVERAGE.replace('"endTag"', '"startTag"')), PAIR, ASKED, TODAY)
    assert [one.reason for one in twice.rejected] == ["the key startTag stands twice"]


def test_the_day_after_the_last_one_is_no_row() -> None:
    """A server that takes `to` in adds a bucket for the first instant of the next day: it is part of no day."""
    found = by_date(bucket("2014-10-31"), bucket("2014-11-01", **stats(startCount=1)))
    assert [one["day"] for one in found.good] == [date(2014, 10, 31)]
    assert (found.rejected, found.received) == ([], 2)


def test_of_two_rows_of_a_day_the_greater_counts() -> None:
    """In whatever order they come; equal ones are one, and no fault."""
    few, many = bucket(), bucket(**stats(startCount=9))
    for rows in ([few, many], [many, few]):
        found = by_date(*rows)
        assert [one["start_count"] for one in found.good] == [9]
        assert [one.reason for one in found.rejected] == [
            "superseded: another row of 2014-10-10 counts more, and was kept"
        ]
    assert (len(by_date(few, few).good), by_date(few, few).rejected) == (1, [])


def test_an_average_stands_under_the_windows_that_were_counted() -> None:
    """Cut to now, it is what was asked; a server that takes no end tag window says so, and the row says it too."""
    future = Frame(BEGIN, END, BEGIN, END + timedelta(days=60))
    cut = {"from": stamp(BEGIN), "to": "2014-10-31T09:00:00.000+0000"}
    [row] = times(answer({**json.loads(AVERAGE), "endTagTimeFrame": cut}), PAIR, future, TODAY).good
    assert Frame(*(row[name] for name in Frame._fields)) == future
    [row] = times(answer(AVERAGE), PAIR, future, TODAY).good
    assert Frame(*(row[name] for name in Frame._fields)) == ASKED
    [row] = times(
        answer({**json.loads(AVERAGE), "startTagTimeFrame": None, "endTagTimeFrame": None}),
        PAIR,
        future,
        TODAY,
    ).good
    assert Frame(*(row[name] for name in Frame._fields)) == future


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"conversionRates": {}}, "holds no list of rows under 'conversionRates'"),
        ({"conversionRates": "none"}, "holds no list of rows under 'conversionRates'"),
        ({"data": []}, "holds no list of rows under 'conversionRates'"),
        ('{"conversionRates": [', "is not JSON at line 1"),
        ({"conversionRates": [], "granulation": "MONTH"}, "by MONTH where days were expected"),
    ],
)
def test_an_answer_of_another_shape_is_not_trusted(document: Any, sentence: str) -> None:
    """No rows are never taken for none."""
    with pytest.raises(InvalidResponseError, match=sentence):
        rates(answer(document), PAIR, OCTOBER)


@pytest.mark.parametrize("document", [{}, {"data": []}, {"status": "ok"}])
def test_an_average_without_its_figures_is_not_trusted(document: Any) -> None:
    """Nulls are an answer, nothing at all is none."""
    with pytest.raises(InvalidResponseError, match="without conversionRateStats"):
        times(answer(document), PAIR, ASKED, TODAY)
