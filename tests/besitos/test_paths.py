"""A page is decoded on a fast path or on a strict one, and nobody can tell from the rows which one it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from conversync.errors import InvalidResponseError
from conversync.extract.decoded import Decoded
from conversync.http.body_status import BodyStatusError, refuse_error
from sources.besitos import feed

DECODER = feed.decoder()
PLAIN: dict[str, list[str]] = {
    "user_id": ['"asdfn-234ghhh"', '"Ärger"', '"\\u00e4"', "null", '""', '"\U0001f600"'],
    "transaction_id": ["2601266", "0", "-7", "9223372036854775807", "-0"],
    "reward": ["0", "40", "-1.50", "0.1", "1e2", "1E-3", "999999999999.999999"],
    "payout": ["11.05", "11.049999999999999", "0", "3", "1.2345675", "-0.0000004"],
    "offer_id": ['"tU5z8PU5BIR9"', '"tv1657278769"', "null"],
    "offer_name": ['"Club Vegas Slots"', '"=cmd()"', '"\'; drop table"'],
    "note": ['"Level 91 Reached"', '"a, b: c"', '"{}[]"', '"\x7f"', '"\u202e"'],
    "date_time": [
        '"2024-12-04 06:24:55"',
        '"2024-12-04T06:24:55"',
        '"1970-01-01 00:00:00"',
        '"9998-12-31 23:59:59"',
        '"2024-12-04T11:24:55.000000Z"',
        '"2024-12-04 06:24:55.25 -05:00"',
    ],
    "reward_local_currency": ["4000", "null", "0.5"],
    "goal_id": ['"tU5z8PU5BIR9_0"', "null"],
    "reverse": ["1", '"1"', "true", '"true"', "0", '"0"', "false", '"false"', "null", "-0"],
    "type": ['"offer"', '"survey"', "null"],
    "survey_id": ['"1b45c7"', "null"],
}
OFTEN_ABSENT = {"reverse", "type", "survey_id", "goal_id"}
ODD = [
    "null", "true", "false", "[]", "{}", "[1]", '{"a":1}', "NaN", "Infinity", "-Infinity", "1.0", "1e3",
    "2", "1e999", "1e9999999", "1e99999999999999999999", "1e-9999999", "9223372036854775808",
    "-9223372036854775809", "1" * 30, "1" * 500, "1000000000000", "999999999999.9999995", "01", "1.", ".5",
    "-", "+1", "0x1", "1_000", '"1"', '" 1"', '"1 "', '"0x1"', '"\u0663"', '"1.5"', '".40"', '"1,234.50"',
    '"N/A"', '""', '"1e3"', '"-"', '"1"*3', '"\\u0000"', '"\\u001f"', '"\\u001E"', '"\\u001a"', '"\x00"',
    '"\x1f"', '"\t"', '"\n"', '"\\n"', '"\\""', '"\\\\"', '"\\/"', '"\\ud800"', '"\\udc00"',
    '"\\ud83d\\ude00"', '"\\x"', '"\\u12"', "'a'", '"a', "a", '"2024-02-30 00:00:00"',
    '"2024-12-04 24:00:00"', '"2024-12-04 23:59:60"', '"2024-12-04 6:24:55"', '"2024-12-04T06+05:30"',
    '"2024-12-04 062455.7"', '"2024-12-04 06:24:55Z"', '"1969-12-31 23:59:59"', '"9999-01-01 00:00:00"',
    '"0000-00-00 00:00:00"', '"2024-12-04\\u002006:24:55"', '"2024-12-04t06:24:55"', "1733293495",
    '"true "', '"TRUE"', '"yes"', "[" * 80 + "]" * 80,
    "24.0", "24.50", "-0.0", "9007199254740993.0", '" 5 "', '"24.0"', '"5."', '" "', '"True"', "[ ]", "{ }", '[""]',
    '"2024-12-04T06:24:55+25:00"', '"2024-12-04T06:24:55.Z"', '"2024-12-04T06:24:55-14"', '"2024-12-04T06:24:55 UTC"',
    '"2024-12-04 06:24:55 EST"', '"2024-12-04T06:24:55.1234567890Z"', '"2024-12-04T06:24:60Z"',
    '" 2024-12-04 06:24:55"',
    '"2024-12-04T06:24:55Z\\n"', '"1970-01-01T00:00:00+14:00"', '"9998-12-31T23:59:59-14:00"', '"2024-12-04T24:00:00Z"',
]  # fmt: skip
NAMES = [
    *PLAIN, "Payout", "REVERSE", "tr\\u0061nsaction_id", "pay\\u006fut", "new", "extra", "unknown", "",
    "transaction_id ", "\\u0000",
]  # fmt: skip


def any_text() -> st.SearchStrategy[str]:
    """Any text as JSON, escaped or not."""
    return st.builds(json.dumps, st.text(max_size=12), ensure_ascii=st.booleans())


def any_number() -> st.SearchStrategy[str]:
    """Any number literal."""
    whole = st.integers().map(str)
    digits = st.decimals(allow_nan=False, allow_infinity=False).map(str)
    floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    return whole | digits | floats


@st.composite
def rows(draw: st.DrawFn) -> str:
    """A row that is right but for at most a few things."""
    pairs = []
    for name, values in PLAIN.items():
        if draw(st.integers(0, 9)) < (6 if name in OFTEN_ABSENT else 0):
            continue
        pairs.append((name, draw(st.sampled_from(values))))
    kind = draw(
        st.sampled_from(
            ["right"] * 5 + ["odd value", "any", "odd name", "twice", "absent", "shuffled", "no row"]
        )
    )
    spot = draw(st.integers(0, len(pairs) - 1))
    if kind == "odd value":
        pairs[spot] = (pairs[spot][0], draw(st.sampled_from(ODD)))
    elif kind == "any":
        pairs[spot] = (pairs[spot][0], draw(any_text() | any_number()))
    elif kind == "odd name":
        pairs.insert(
            spot,
            (draw(st.sampled_from(NAMES)), draw(st.sampled_from(['"x"', "1", "1e999", "{}", '"a\\"b"']))),
        )
    elif kind == "twice":
        pairs.append(pairs[spot])
    elif kind == "absent":
        del pairs[spot]
    elif kind == "shuffled":
        pairs = draw(st.permutations(pairs))
    elif kind == "no row":
        return draw(st.sampled_from(ODD))
    space = draw(st.sampled_from(["", " ", "\n  "]))
    return "{" + ",".join(f'{space}"{name}"{space}:{space}{value}' for name, value in pairs) + space + "}"


ENVELOPES = [
    '"links":{},"meta":{"total":1}',
    '"links":{"next":null},"meta":{"total":1,"x":"a\\"b"}',
    '"meta":{"total":1},"links":[]',
    '"meta":{"total":1}',
    '"links":{},"meta":{"total":1},"message":"x"',
    '"links":{},"meta":{"total":1},"links":{}',
    '"links":{"a":1,"a":2},"meta":{}',
    '"links":{},"meta":NaN',
    '"links":{},"meta":"\\ud800"',
    '"data":[],"links":{},"meta":{}',
    '"links":{},"meta":{"total":1},"error":"x"',
    '"links":{},"meta":{"total":1},"status":401',
    '"links":{},"meta":{"total":1},"errors":[]',
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A page of a few such rows; now and then with an odd envelope, or not UTF-8."""
    tail = draw(st.sampled_from(ENVELOPES[:1] * 12 + ENVELOPES))
    found = draw(st.lists(rows(), max_size=4))
    listed = f"[{','.join(found)}]"
    if draw(st.integers(0, 9)) == 0:
        keys = draw(
            st.sampled_from(
                [["0", "2", "5", "7"], ["1", "1", "2", "3"], ["0", "a", "1", "2"], ["\\u0030", "1", "2", "3"]]
            )
        )
        listed = "{" + ",".join(f'"{key}":{one}' for key, one in zip(keys, found, strict=False)) + "}"
    text = f'{{"data":{listed},{tail}}}'
    body = text.encode("utf-8", "surrogatepass")
    damage = draw(st.sampled_from([b""] * 9 + [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80"]))
    if damage:
        spot = draw(st.integers(0, len(body)))
        body = body[:spot] + damage + body[spot:]
    return draw(st.sampled_from([b""] * 9 + [b"\xef\xbb\xbf", b" \n"])) + body


def both(body: bytes) -> tuple[Decoded | None, Decoded | InvalidResponseError]:
    """What each path makes of a page: the fast one may have its doubts, the strict one may refuse."""
    try:
        strict: Decoded | InvalidResponseError = DECODER._strict(body)  # noqa: SLF001 - the promise is about the paths
    except InvalidResponseError as refused:
        strict = refused
    try:
        return DECODER._fast(body), strict  # noqa: SLF001
    except InvalidResponseError:
        assert isinstance(strict, InvalidResponseError)
        return None, strict
    except Exception:  # noqa: BLE001 - doubts come as many errors; that `decode` knows them all is the test below
        return None, strict


@pytest.mark.more
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies())
@example(b'{"data":[],"links":{},"meta":{}}')
def test_the_fast_path_accepts_only_what_the_strict_path_accepts_too(body: bytes) -> None:
    """Where it does, both see the same rows with the same values, and set nothing aside."""
    fast, strict = both(body)
    event("fast" if fast else "doubt" if isinstance(strict, Decoded) else "refused")
    if fast is None:
        return
    assert isinstance(strict, Decoded)
    assert strict.rejected == []
    assert fast.table.schema == strict.table.schema
    assert fast.table.to_pylist() == strict.table.to_pylist()
    assert fast.envelope == strict.envelope


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies())
def test_whatever_comes_it_is_decoded_or_refused_with_a_sentence(body: bytes) -> None:
    """No page makes anything else of itself than rows, rows set aside with a reason, or a refusal."""
    try:
        decoded = DECODER.decode(body)
    except InvalidResponseError:
        return
    assert all(rejected.reason and rejected.raw for rejected in decoded.rejected)
    assert decoded.table.schema == DECODER.schema


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies())
def test_the_fast_path_accepts_only_what_the_strict_path_accepts_too_many(body: bytes) -> None:
    """As above, many times as often."""
    fast, strict = both(body)
    assert fast is None or (
        isinstance(strict, Decoded) and fast.table.to_pylist() == strict.table.to_pylist()
    )
    if not isinstance(strict, Decoded):
        return
    try:
        refuse_error(strict.envelope)
    except BodyStatusError:
        with pytest.raises(BodyStatusError):
            DECODER.decode(body)
    else:
        assert DECODER.decode(body).received == strict.received


RIGHT = (
    '{"user_id":"u","transaction_id":%d,"reward":40,"payout":11.05,"offer_id":"o","offer_name":"n","note":"x",'
    '"date_time":"2024-12-04 06:24:55","reward_local_currency":4000,"goal_id":"g"}'
)


def page(texts: Sequence[str]) -> bytes:
    """A page of these rows."""
    return f'{{"data":[{",".join(texts)}],"links":{{}},"meta":{{"total":{len(texts)}}}}}'.encode()


ENDINGS = ["", ',"reverse":1', ',"type":"survey","survey_id":"1b45c7"']


@pytest.mark.quick(1)
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_odd_value_in_every_field_is_the_same_on_both_paths(ending: str) -> None:
    """Also no value at all, every value twice, and every odd name: one at a time, in an original and a reversal."""
    pairs: list[tuple[str, str]] = [*json.loads((RIGHT % 1)[:-1] + ending + "}").items()]
    plain = [(name, json.dumps(value)) for name, value in pairs]
    changed = [[*plain[:spot], *plain[spot + 1 :]] for spot in range(len(plain))]
    changed += [[*plain, pair] for pair in plain]
    changed += [[*plain, (name, '"x"')] for name in NAMES]
    changed += [[*plain[:n], (plain[n][0], odd), *plain[n + 1 :]] for n in range(len(plain)) for odd in ODD]
    for one in changed:
        body = page(["{" + ",".join(f'"{name}":{value}' for name, value in one) + "}"])
        fast, strict = both(body)
        if isinstance(strict, Decoded):
            assert DECODER.decode(body).received == 1, body
        if fast is not None:
            assert isinstance(strict, Decoded), body
            assert (strict.rejected, strict.table.to_pylist()) == ([], fast.table.to_pylist()), body


def test_a_page_as_the_document_has_it_takes_the_fast_path() -> None:
    """Else the promise above would be an empty one, and a night seven times as long."""
    plain = page([RIGHT % number for number in range(1, 6)])
    reversal = (RIGHT % 6)[:-1] + ',"reverse":1,"type":"survey","survey_id":"1b45c7"}'
    no_payout = reversal.replace('"payout":11.05,', "")
    for body in (plain, page([reversal]), page([RIGHT % 7, no_payout]), page([])):
        fast, strict = both(body)
        assert fast is not None
        assert isinstance(strict, Decoded)
        assert fast.table.to_pylist() == strict.table.to_pylist()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(row=rows(), place=st.integers(0, 3))
def test_an_odd_row_costs_at_most_itself(row: str, place: int) -> None:
    """J16. The rows beside it are the same as without it, unless the page as a whole is no JSON."""
    beside = [RIGHT % number for number in (101, 102, 103)]
    body = page([*beside[:place], row, *beside[place:]])
    try:
        decoded = DECODER.decode(body)
    except InvalidResponseError:
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
        return
    assert decoded.received == 4
    assert rows_of(decoded, {101, 102, 103}) == rows_of(DECODER.decode(page(beside)), {101, 102, 103})


def rows_of(decoded: Decoded, numbers: set[int]) -> list[dict[str, object]]:
    """The rows with these transaction ids."""
    return [one for one in decoded.table.to_pylist() if one["transaction_id"] in numbers]


@pytest.mark.more
@settings(max_examples=1000, deadline=None)
@given(
    millionths=st.integers(-(10**16), 10**16) | st.integers(-(10**9), 10**9),
    tail=st.sampled_from(["", "5", "50", "49", "51", "333", "7"])
    | st.integers(1, 20).flatmap(
        lambda n: st.sampled_from(["4" + "9" * n, "5" + "0" * n + "1", "0" * n + "1"])
    ),
)
def test_j05_an_amount_of_many_digits_is_rounded_as_its_text_says(millionths: int, tail: str) -> None:
    """Half to even, also where a float cannot tell on which side of the half the text lies."""
    literal = f"{Decimal(millionths) / 10**6:f}"
    literal += tail if "." in literal else "." + "0" * 6 + tail if tail else ""
    fast, strict = both(page([(RIGHT % 1).replace("11.05", literal)]))
    assert isinstance(strict, Decoded)
    assert strict.table["payout"].to_pylist() == [Decimal(literal).quantize(Decimal("0.000001"))]
    assert fast is None or fast.table["payout"].to_pylist() == strict.table["payout"].to_pylist()
    assert fast is not None or abs(millionths) > 10**9 or tail
    is_kept = strict.table["extra"].to_pylist() == [f'{{"payout":{Decimal(literal)}}}']
    is_finer = Decimal(literal) != Decimal(literal).quantize(Decimal("0.000001"))
    of_a_double = len(Decimal(literal).as_tuple().digits) >= 15
    assert is_kept or not is_finer or of_a_double
    assert is_finer or not is_kept, "nothing is told of an amount that is held as it came"


@settings(max_examples=300, deadline=None)
@given(st.decimals(min_value=-(10**11), max_value=10**11, allow_nan=False, allow_infinity=False, places=6))
def test_j05_every_amount_is_held_to_the_last_digit(amount: Decimal) -> None:
    """As a number or as text, on either path: six digits after the point, no float in between."""
    for literal in (f"{amount:f}", f'"{amount:f}"'):
        decoded = DECODER.decode(page([(RIGHT % 1).replace("11.05", literal)]))
        assert decoded.table["payout"].to_pylist() == [amount]
