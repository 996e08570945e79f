"""One odd row in a feed: it is loaded as it was meant, or set aside with a reason, and the others load."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from conversync.extract.decoded import Rejected
from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.besitos import Scripted
from tests.besitos.rows import DAY, FROM, TO, row, text
from tests.support import Workspace, sometimes, tables

D = Decimal

# id -> (the row's number, the row as served, what the table then holds of it)
KEPT: dict[str, tuple[int, Scripted, dict[str, Any]]] = {
    "J02-tiny": (1001, text(1001, payout="1e-999999"), {"payout": D(0)}),
    "J03-negative-id": (-5, text(-5), {"transaction_id": -5, "event_key": "-5:original"}),
    "J03-id-0": (0, text(0), {"event_key": "0:original"}),
    "J03-largest-id": (2**63 - 1, text(2**63 - 1), {"event_key": "9223372036854775807:original"}),
    "J04-id-as-text": (1004, text(1004, transaction_id='"1004"'), {"event_key": "1004:original"}),
    "J05-float-sum": (1005, text(1005, payout="0.30000000000000004"), {"payout": D("0.3")}),
    "J05-float": (1006, text(1006, payout="11.049999999999999"), {"payout": D("11.05")}),
    "J05-six-digits": (1007, text(1007, payout="123456789012.123456"), {"payout": D("123456789012.123456")}),
    "J05-half-to-even": (
        1008,
        text(1008, payout="0.0000005", reward="0.0000015"),
        {"payout": D(0), "reward": D("0.000002")},
    ),
    "J05-exponent": (1009, text(1009, payout="1.5e2"), {"payout": D(150)}),
    "J06-money-as-text": (
        1010,
        text(1010, payout='"3.25"', reward='"60.00"'),
        {"payout": D("3.25"), "reward": D(60)},
    ),
    "J06-money-as-php-has-it": (1011, text(1011, payout='".40"'), {"payout": D("0.4")}),
    "J06-whole": (1012, text(1012, payout="3"), {"payout": D(3)}),
    "J07-nothing-but-the-required": (
        1013,
        '{"transaction_id":1013,"reward":0,"payout":1,"date_time":"2024-12-04 06:25:36"}',
        {"user_id": None, "user_key": None, "offer_id": None, "note": None, "reward_local_currency": None},
    ),
    "J07-null-where-optional": (
        1014,
        text(1014, user_id="null", goal_id="null", note="null"),
        {"user_id": None},
    ),
    "J08-unknown-field": (
        1015,
        text(1015, bonus='{"b":[1,2.50],"a":"x"}'),
        {"extra": '{"bonus":{"a":"x","b":[1,2.50]}}'},
    ),
    "J08-unknown-field-named-as-ours": (
        1016,
        text(1016, extra="1", unknown="2"),
        {"extra": '{"extra":1,"unknown":2}'},
    ),
    "J08-unknown-number-beyond-a-float": (1017, text(1017, bonus="1e999"), {"extra": '{"bonus":1E+999}'}),
    "J08-unknown-number-beyond-64-bits": (
        1041,
        text(1041, bonus="1" * 30),
        {"extra": f'{{"bonus":{"1" * 30}}}'},
    ),
    "J08-unknown-nul": (1018, text(1018, bonus='"\\u0000"'), {"extra": '{"bonus":"\\\\u0000"}'}),
    "J12-latin-1": (
        1052,
        text(1052, note='"caf@"').encode().replace(b"@", b"\xe9"),
        {"note": "caf\ufffd", "extra": '{"note":"caf\\\\xe9"}', "payout": D("11.05")},
    ),
    "J13-nul": (
        1053,
        text(1053, note='"a\\u0000b"', bonus="1"),
        {"note": "a\ufffdb", "extra": '{"bonus":1,"note":"a\\\\u0000b"}', "payout": D("11.05")},
    ),
    "J13-separator": (
        1054,
        text(1054, offer_name='"\\u001f"'),
        {"offer_name": "\ufffd", "extra": '{"offer_name":"\\u001f"}', "payout": D("11.05")},
    ),
    "J13-raw-control": (1055, text(1055, note='"\x01"'), {"note": "\x01", "extra": None}),
    "J13-raw-nul": (1056, text(1056, note='"\x00"'), {"note": "\ufffd", "extra": '{"note":"\\\\u0000"}'}),
    "J13-half-a-pair": (
        1057,
        text(1057, note='"\\\\ \\ud83c \u00e9"'),
        {"note": "\\ \ufffd \u00e9", "extra": '{"note":"\\\\\\\\ \\\\ud83c \u00e9"}', "payout": D("11.05")},
    ),
    "J13-half-a-pair-in-extra": (
        1058,
        text(1058, bonus='{"\\udfb0":["\\udfb0"]}'),
        {"extra": '{"bonus":{"\\\\udfb0":["\\\\udfb0"]}}', "payout": D("11.05")},
    ),
    "J05-finer-than-a-millionth": (
        1059,
        text(1059, payout="1.2345675", reward='"0.0000004"'),
        {"payout": D("1.234568"), "reward": D(0), "extra": '{"payout":1.2345675,"reward":"0.0000004"}'},
    ),
    "J08-unknown-empty-name": (1019, text(1019, **{"": "1"}), {"extra": '{"":1}'}),
    "J13-private-use": (1020, row(1020, note="\uf026\uf02d"), {"note": "\uf026\uf02d"}),
    "J13-right-to-left": (1021, row(1021, note="\u202eabc"), {"note": "\u202eabc"}),
    "J13-emoji": (1022, row(1022, note="\U0001f3b0"), {"note": "\U0001f3b0"}),
    "J13-escaped-emoji": (1023, text(1023, note='"\\ud83c\\udfb0"'), {"note": "\U0001f3b0"}),
    "J13-a-megabyte": (1024, row(1024, note="x" * 2**20), {"note": "x" * 200, "payout": D("11.05")}),
    "J13-newlines-and-quotes": (1025, row(1025, note='a\n"b"\t\\'), {"note": 'a\n"b"\t\\'}),
    "J14-text": (
        1026,
        text(1026, reverse='"1"'),
        {"is_reversal": True, "event_key": f"1026:reversal:{DAY} 06:25:36:40.000000"},
    ),
    "J14-true": (1027, text(1027, reverse="true"), {"is_reversal": True}),
    "J14-text-true": (1028, text(1028, reverse='"true"'), {"is_reversal": True}),
    "J14-0": (1029, text(1029, reverse="0"), {"is_reversal": False, "event_key": "1029:original"}),
    "J14-text-0": (1030, text(1030, reverse='"0"'), {"is_reversal": False}),
    "J14-false": (1031, text(1031, reverse="false"), {"is_reversal": False}),
    "J14-null": (1032, text(1032, reverse="null"), {"is_reversal": False}),
    "J17-sql": (
        1033,
        row(1033, note="'; drop table conversion_events; --"),
        {"note": "'; drop table conversion_events; --"},
    ),
    "J17-formula": (1034, row(1034, note="=cmd|'/C calc'!A0"), {"note": "=cmd|'/C calc'!A0"}),
    "S10-spelling": (
        1035,
        row(1035, user_id="AsDfN-İß"),
        {"user_id": "AsDfN-İß", "user_key": "AsDfN-İß".casefold()},
    ),
    "S11-negative": (1036, row(1036, payout=-3.5, reward=-1), {"payout": D("-3.5"), "reward": D(-1)}),
    "S11-nothing-paid": (1037, row(1037, payout=0, reward=5), {"payout": D(0), "reward": D(5)}),
    "S22-a-currency-appears": (1038, row(1038, currency="EUR"), {"extra": None, "currency": "EUR"}),
    "user-id-as-number": (1039, text(1039, user_id="12345"), {"user_id": "12345", "user_key": "12345"}),
    "J03-1.0": (1042, text(1042, transaction_id="1042.0"), {"event_key": "1042:original"}),
    "J04-space": (1043, text(1043, transaction_id='" 1043"'), {"event_key": "1043:original"}),
    "F06-a-number-among-blanks": (
        1044,
        text(1044, payout='" 5 "', reward='"\\t40\\n"'),
        {"payout": D(5), "reward": D(40)},
    ),
    "F06-id-as-text-with-a-point": (
        1045,
        text(1045, transaction_id='"1045.00"'),
        {"event_key": "1045:original"},
    ),
    "F06-empty-containers": (
        1046,
        text(1046, note="[]", user_id="{}", reward_local_currency="[]"),
        {
            "note": None,
            "user_id": None,
            "user_key": None,
            "reward_local_currency": None,
            "extra": '{"note":[],"reward_local_currency":[],"user_id":{}}',
        },
    ),
    "F06-empty-text-for-no-amount": (
        1047,
        text(1047, reward_local_currency='" "'),
        {"reward_local_currency": None},
    ),
    "F06-microseconds": (
        1048,
        row(1048, date_time="2024-12-04 23:59:59.250000"),
        {"occurred_at": datetime(2024, 12, 5, 4, 59, 59, 250_000, UTC), "occurred_on": date(2024, 12, 4)},
    ),
    "F06-a-bare-number-is-its-digits": (
        1049,
        text(1049, user_id="24.0", offer_id="24.50"),
        {"user_id": "24", "offer_id": "24.50"},
    ),
    "F06-a-flag-in-other-letters": (1050, text(1050, reverse='"True"'), {"is_reversal": True}),
    "F06-a-reversal-without-payout": (
        1051,
        text(1051, reverse="1", payout="[]"),
        {"payout": None, "is_reversal": True},
    ),
    "F01-an-instant": (
        2038,
        row(2038, date_time="2024-12-05T04:25:36Z"),
        {"date_time": "2024-12-05T04:25:36Z", "occurred_on": date(2024, 12, 4)},
    ),
    "iso-time": (1040, row(1040, date_time="2024-12-04T23:59:59"), {"date_time": "2024-12-04T23:59:59"}),
}

TOO_LARGE = "payout is larger than any amount (12 digits before the point)"
NO_TIME = "date_time is not a time like 2024-12-04 06:25:36"
NO_FLAG = "reverse is neither yes (1, true) nor no (0, false, absent)"
UNFIT = "holds a character that cannot be stored"

# id -> (the row as served, its reason)
ASIDE: dict[str, tuple[Scripted, str]] = {
    "J02-nan": (text(2001, payout="NaN"), "NaN is not a number that JSON knows"),
    "J02-infinity": (text(2002, payout="Infinity"), "Infinity is not a number that JSON knows"),
    "J02-minus-infinity": (text(2003, reward="-Infinity"), "-Infinity is not a number that JSON knows"),
    "J02-1e999": (text(2004, payout="1e999"), TOO_LARGE),
    "J02-1e9999999": (text(2005, payout="1e9999999"), TOO_LARGE),
    "J02-exponent": (text(2006, reward="1e9999999999999999999999"), "a number has an exponent out of all bounds"),
    "J02-thirteen-digits": (text(2007, payout="1000000000000"), TOO_LARGE),
    "J02-rounds-up": (text(2008, payout="999999999999.9999999"), TOO_LARGE),
    "J03-2**63": (text(2**63), "transaction_id does not fit into 64 bits"),
    "J03-1.5": (text(1, transaction_id="1.5"), "transaction_id is not a whole number"),
    "J03-beyond-a-double": (text(1, transaction_id="9007199254740993.0"), "transaction_id is not a whole number"),
    "J03-true": (text(1, transaction_id="true"), "transaction_id is not a whole number"),
    "J03-1e3": (text(1, transaction_id="1e3"), "transaction_id is not a whole number"),
    "J03-thousands-of-digits": (text(1, transaction_id="9" * 5000), "a number has 5000 digits"),
    "J04-space-within": (text(1, transaction_id='"26 01266"'), "transaction_id is not a whole number"),
    "J04-empty": (text(1, transaction_id='""'), "transaction_id is missing"),
    "J04-hexadecimal": (text(1, transaction_id='"0x1"'), "transaction_id is not a whole number"),
    "J04-other-digits": (text(1, transaction_id='"٣"'), "transaction_id is not a whole number"),
    "J06-comma": (text(2010, payout='"1,234.50"'), "payout is not a number"),
    "J06-n/a": (text(2011, reward='"N/A"'), "reward is not a number"),
    "J06-empty": (text(2012, payout='""'), "payout is missing"),
    "J06-empty-reward": (text(2012, reward='" "'), "reward is missing"),
    "F06-empty-required": (text(2041, reward="[]"), "reward is missing"),
    "F06-empty-payout-of-an-original": (text(2042, payout="{}"), "payout is missing"),
    "J06-true": (text(2013, payout="true"), "payout is not a number"),
    "J07-no-id": (text(2014, transaction_id="null"), "transaction_id is missing"),
    "J07-no-reward": (text(2015, reward="null"), "reward is missing"),
    "J07-no-payout": (text(2016, payout="null"), "payout is missing"),
    "J07-no-time": (row(2017, date_time=None), "date_time is missing"),
    "J07-nothing": ("{}", "transaction_id is missing"),
    "J08-renamed": (row(2018, payout=None, PAYOUT=3), "payout is missing"),
    "J09-two-spellings": (text(2019, Payout="1"), "the key payout stands twice, in different letters"),
    "J10-twice": (text(2020)[:-1] + ',"payout":99}', "the key payout stands twice"),
    "J10-twice-escaped": (text(2021)[:-1] + ',"pay\\u006fut":99}', "the key payout stands twice"),
    "J10-twice-inside": (text(2022, bonus='{"a":1,"a":2}'), "the key a stands twice"),
    "J11-object": (text(2023, payout='{"usd":1}'), "payout is not a number"),
    "J11-list": (text(2024, note='["a"]'), "note is not text"),
    "J11-flag": (text(2025, reverse="[]"), NO_FLAG),
    "J11-a-hundred-thousand-deep": (text(2026, bonus="[" * 100_000 + "]" * 100_000), "it is nested more than 64 deep"),
    "J12-latin-1-in-an-id": (text(2027, offer_id='"@"').encode().replace(b"@", b"\xe9"), f"offer_id {UNFIT}"),
    "J12-latin-1-in-the-id": (text(1, transaction_id='"1@"').encode().replace(b"@", b"\xe9"),
                              "transaction_id is not a whole number"),
    "J13-nul-in-an-id": (text(2029, user_id='"\\u0000"'), f"user_id {UNFIT}"),
    "J13-separator-in-an-id": (text(2030, goal_id='"a\\u001fb"'), f"goal_id {UNFIT}"),
    "J13-half-a-pair-in-a-currency": (text(2032, currency='"EU\\ud83c"'), f"currency {UNFIT}"),
    "J14-2": (text(2034, reverse="2"), NO_FLAG),
    "J14-word": (text(2035, reverse='"reverse"'), NO_FLAG),
    "J15-text": ('"row"', "the row is a text, not an object"),
    "J15-list": ("[1]", "the row is a list, not an object"),
    "J15-number": ("17", "the row is a number, not an object"),
    "J15-null": ("null", "the row is null, not an object"),
    "S12-no-such-day": (row(2036, date_time="2024-02-30 12:00:00"), "date_time is a time that does not exist"),
    "S12-zero": (row(2037, date_time="0000-00-00 00:00:00"), "date_time is a time that does not exist"),
    "S12-no-such-offset": (row(2038, date_time="2024-12-04T06:25:36+25:00"), NO_TIME),
    "S12-a-zone-by-name": (row(2038, date_time="2024-12-04 06:25:36 EST"), NO_TIME),
    "S12-stamp": (row(2039, date_time=1733293536), "date_time is not a time like 2024-12-04 06:25:36"),
    "S12-no-time": (row(2040, date_time="2024-12-04"), "date_time is not a time like 2024-12-04 06:25:36"),
}  # fmt: skip
PLAIN = [row(number) for number in range(1, 51)]


@dataclass
class Loaded:
    """What became of the feed that holds all of the rows above among fifty plain ones."""

    house: Workspace
    exit_codes: list[int]
    first: dict[str, Counter[tuple[Any, ...]]]
    events: dict[int, dict[str, Any]]
    aside: dict[str, str]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """The same night twice."""
    with Sandbox(World(days=1)) as sandbox:
        odd = [served for _, served, _ in KEPT.values()] + [served for served, _ in ASIDE.values()]
        sandbox.besitos.rows = [*PLAIN[:25], *odd, *PLAIN[25:]]
        house = Workspace(sandbox, tmp_path_factory.mktemp("rows"), {"BESITOS_PAGE_SIZE": "60"})
        reports = [house.run(FROM, TO)]
        assert reports[0].error is None
        first = tables(house.path)
        reports.append(house.run(FROM, TO))
        columns = [
            name for [name] in house.query("select column_name from (describe besitos.conversion_events)")
        ]
        events = house.query("select * from besitos.conversion_events where valid_to is null")
        yield Loaded(
            house,
            [report.exit_code for report in reports],
            first,
            {
                one["transaction_id"]: one
                for one in (dict(zip(columns, event, strict=True)) for event in events)
            },
            dict(house.query("select raw, reason from besitos.rejected_rows")),
        )


@pytest.mark.parametrize("case", KEPT)
def test_a_row_that_can_be_understood_is_loaded(loaded: Loaded, case: str) -> None:
    """With the values it stated, whatever form they came in."""
    number, _, expected = KEPT[case]
    held = loaded.events[number]
    assert {name: held[name] for name in expected} == expected


@pytest.mark.parametrize("case", ASIDE)
def test_a_row_that_cannot_be_understood_is_set_aside(loaded: Loaded, case: str) -> None:
    """As it was served, with a reason that a person understands; and nothing of it is in the money table."""
    served, reason = ASIDE[case]
    raw = (
        json.dumps(served, separators=(",", ":"), ensure_ascii=False) if isinstance(served, dict) else served
    )
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "backslashreplace")
    assert loaded.aside[Rejected(str(raw), reason).raw] == reason


def test_all_other_rows_are_loaded_the_same_night(loaded: Loaded) -> None:
    """J16. Fifty plain rows, the understood ones, and not one more."""
    assert set(loaded.events) == {*range(1, 51), *(number for number, _, _ in KEPT.values())}
    assert len(loaded.aside) == len(ASIDE)
    [[bad]] = loaded.house.query(
        "select sum(rejected) from besitos.windows where stream = 'conversions' group by read_at limit 1"
    )
    assert bad == len(ASIDE)


def test_rows_newly_set_aside_cost_exit_3_and_known_ones_nothing(loaded: Loaded) -> None:
    """A person is told once; the second night changes no table."""
    assert loaded.exit_codes == [3, 0]
    assert tables(loaded.house.path) == loaded.first
    times = loaded.house.query(
        "select distinct times_seen, first_seen < last_seen from besitos.rejected_rows"
    )
    assert {(2, True)} <= set(times)


def test_fields_that_the_document_does_not_know_are_counted(loaded: Loaded) -> None:
    """J08. In the evidence of the window, by name; and so are those whose value could not be stored as it came."""
    [[unknown]] = loaded.house.query(
        "select unknown_fields from besitos.windows where stream = 'conversions' limit 1"
    )
    altered = {"note (not as it came)": 4, "offer_name (not as it came)": 1}
    altered |= {"payout (not as it came)": 2, "reward (not as it came)": 2}
    assert json.loads(unknown) == {
        "bonus": 6,
        "extra": 1,
        "unknown": 1,
        "": 1,
        "note (not held whole)": 1,
        **altered,
    }


def test_the_tables_have_no_column_of_the_vendors_making(loaded: Loaded) -> None:
    """J08. Whatever fields appear, the money table keeps its columns and its types."""
    types = dict(
        loaded.house.query("select column_name, column_type from (describe besitos.conversion_events)")
    )
    assert {types[name] for name in ("payout", "reward", "reward_local_currency")} == {"DECIMAL(18,6)"}
    assert types["transaction_id"] == "BIGINT"
    assert types["occurred_at"] == types["valid_from"] == "TIMESTAMP WITH TIME ZONE"
    assert types["occurred_on"] == "DATE"
    assert set(types) == {
        "event_key", "transaction_id", "is_reversal", "user_id", "user_key", "offer_id", "offer_name", "goal_id",
        "note", "type", "survey_id", "payout", "reward", "reward_local_currency", "date_time", "occurred_at",
        "occurred_on", "extra", "statement_hash", "valid_from", "valid_to", "currency", "_page",
        "_dlt_load_id",
    }  # fmt: skip


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "J01 trailing comma": lambda body: body.replace(b'],"links"', b',],"links"'),
    "J10 two lists of rows": lambda body: body.replace(b'{"data"', b'{"data":[],"data"'),
    "J12 utf-16": lambda body: body.decode().encode("utf-16"),
    "J02 nan outside the rows": lambda body: body.replace(b'"from":1', b'"from":NaN'),
    "cut": lambda body: body[:-40],
    "two documents": lambda body: body + body,
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("case", sometimes(*DAMAGE, quick=3, ids=str))
def test_a_page_that_is_no_json_is_refused_whole(house: Workspace, case: str) -> None:
    """Loudly: exit 6, the place in the page, nothing loaded; the next night is whole again."""
    house.sandbox.besitos.rows = PLAIN
    fault = house.sandbox.faults.add(Fault(mutate=lambda document, _: DAMAGE[case](served(document))))
    report = house.run(FROM, TO)
    assert report.exit_code == 6, case
    assert "cannot be used" in str(report.error)
    assert 4 < fault.delivered <= 24, "asked once and three times more; then for some other days"
    assert (
        house.query("select table_name from information_schema.tables where table_schema = 'besitos'") == []
    )
    house.sandbox.faults.clear()
    house.load(FROM, TO)
    assert house.query("select count(*) from besitos.conversion_events") == [(50,)]


def served(document: dict[str, Any]) -> bytes:
    """The page's bytes as they would have gone out."""
    return json.dumps(document, separators=(",", ":")).encode()
