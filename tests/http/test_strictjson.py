"""J rows of the fault matrix: numbers exactly as written, and one bad row costs that row."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversync.errors import InvalidResponseError
from conversync.http.strictjson import MAX_DEPTH, Row, dumps, load_rows, loads

GOOD = b'{"transaction_id": 2601266, "payout": 11.049999999999999}'
GOOD_VALUE = {"transaction_id": 2601266, "payout": Decimal("11.049999999999999")}


def page(row: bytes) -> bytes:
    return b'{"status": 200, "data": [' + GOOD + b", " + row + b", " + GOOD + b'], "meta": {"total": 3}}'


DEEP = "it is nested more than"

BAD_ROWS = [
    pytest.param(b'{"payout": NaN}', "NaN is not a number that JSON knows", id="J02-nan"),
    pytest.param(b'{"payout": -Infinity}', "-Infinity is not a number that JSON knows", id="J02-infinity"),
    pytest.param(b'{"id": ' + b"9" * 5000 + b"}", "a number has 5000 digits", id="J03-digits"),
    pytest.param(b'{"a": 1e9999999999999999999}', "a number has an exponent out of all bounds", id="J02-exp"),
    pytest.param(b'{"payout": 1, "payout": 2}', "the key payout stands twice", id="J10"),
    pytest.param(b'{"a": [{"x": 1, "x": 1}]}', "the key x stands twice", id="J10-nested"),
    pytest.param(b'{"pay\\u006fut": 1, "payout": 2}', "the key payout stands twice", id="J10-escaped"),
    pytest.param(b'{"a": %s}' % (b"[" * 100_000 + b"]" * 100_000), f"{DEEP} 64 deep", id="J11"),
    pytest.param(b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", f"{DEEP} 64 deep", id="J11-65"),
    pytest.param(b"[]", "the row is a list, not an object", id="J15-list"),
    pytest.param(b'"text"', "the row is a text, not an object", id="J15-text"),
    pytest.param(b"-1.5", "the row is a number, not an object", id="J15-number"),
    pytest.param(b"null", "the row is null, not an object", id="J15-null"),
    pytest.param(b"true", "the row is true, not an object", id="J15-true"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "fault"), BAD_ROWS)
def test_a_bad_row_costs_that_row(row: bytes, fault: str) -> None:
    """The others load, the reason is a phrase, and the raw text is kept as it stood."""
    envelope, (first, bad, last) = load_rows(page(row), "data")
    assert envelope == {"status": 200, "meta": {"total": 3}}
    assert first == last == Row(GOOD.decode(), GOOD_VALUE, None)
    assert bad == Row(row.decode("utf-8", "backslashreplace"), None, fault)


ODD_TEXTS = [
    pytest.param(b'{"note": "\xff"}', {"note": "\udcff"}, {"note": "\ufffd"}, id="J12"),
    pytest.param(b'{"a": "\xed\xa0"}', {"a": "\udced\udca0"}, {"a": "\ufffd\ufffd"}, id="J12-surrogate"),
    pytest.param(b'{"note": "\\ud83d!"}', {"note": "\ud83d!"}, {"note": "\ufffd!"}, id="J13-value"),
    pytest.param(b'{"a": [{"\\uDC00": 1}]}', {"a": [{"\udc00": 1}]}, {"a": [{"\ufffd": 1}]}, id="J13-key"),
]  # fmt: skip


@pytest.mark.parametrize(("odd", "served", "whole"), ODD_TEXTS)
def test_a_text_that_is_none_costs_no_row(odd: bytes, served: dict[str, Any], whole: dict[str, Any]) -> None:
    """A row has it as it came, for whoever takes its fields; beside the rows, and in a document, it is U+FFFD."""
    envelope, [row] = load_rows(b'{"data": [' + odd + b'], "meta": ' + odd + b"}", "data")
    assert row == Row(odd.decode("utf-8", "backslashreplace"), served, None)
    assert envelope == {"meta": whole}
    assert loads(odd) == whole
    assert loads(odd, as_served=True) == served


def test_j13_a_raw_control_character_is_read_past_in_a_row_alone() -> None:
    """What was meant is plain; the frame around the rows must be right to the letter."""
    odd = b'{"note": "a\x00b"}'
    assert load_rows(b"[" + odd + b"]", None)[1] == [Row(odd.decode(), {"note": "a\x00b"}, None)]
    for read in (lambda: load_rows(b'{"data": [], "meta": ' + odd + b"}", "data"), lambda: loads(odd)):
        with pytest.raises(InvalidResponseError, match="a text holds a raw control character"):
            read()


@pytest.mark.parametrize(("row", "fault"), [case for case in BAD_ROWS if "J15" not in str(case.id)])
def test_the_same_outside_the_rows_refuses_the_page(row: bytes, fault: str) -> None:
    """An envelope that cannot be trusted vouches for no row."""
    body = b'{"data": [' + GOOD + b'], "meta": ' + row + b"}"
    for read in (lambda: load_rows(body, "data"), lambda: loads(body)):
        with pytest.raises(InvalidResponseError) as caught:
            read()
        assert str(caught.value) == f"The vendor sent an answer that cannot be used: {fault}."
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        pytest.param(
            b'{"data": [{"a": 1},\n  {"b": 2},\n]}', "line 3, column 1 (a comma with", id="J01-rows"
        ),
        pytest.param(b'{"data": [{"a": 1,}]}', "line 1, column 19 (a comma with nothing", id="J01-row"),
        pytest.param(b'{"data": [], }', "line 1, column 14 (expected a key", id="J01-envelope"),
        pytest.param(b'{"data": [{"a": 1} {"a": 2}]}', "column 20 (expected ',' or ']')", id="no-comma"),
        pytest.param(b'{"data": [{"a": 01}]}', "line 1, column 18 (", id="leading-zero"),
        pytest.param(b'{"data": [{"a": 1}]', "column 20 (expected ',' or '}')", id="cut"),
        pytest.param(b'{"data": [{"a": "', "line 1, column 17 (", id="cut-text"),
        pytest.param(b'{"data": []} {}', "column 14 (there is more after its end)", id="two-documents"),
        pytest.param(b"\xef\xbb\xbf{'data': []}", "line 1, column 2 (", id="python"),
        pytest.param(b'{"data"; []}', "column 8 (expected ':')", id="no-colon"),
        pytest.param(b"[" * 100_000, "its brackets are not closed", id="J11-open"),
    ],
)
def test_j01_a_syntax_error_refuses_the_page_and_says_where(body: bytes, where: str) -> None:
    """Line and column, and nothing of the body."""
    for key in ("data", None) if body[:1] == b"[" else ("data",):
        with pytest.raises(InvalidResponseError, match="it is not JSON at line ") as caught:
            load_rows(body, key)
        assert where in str(caught.value)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "key", "fault"),
    [
        (b"", "data", "it is empty"),
        (b" \r\n", "data", "it is empty"),
        (b"\xef\xbb\xbf", None, "it is empty"),
        (b'{"data": null}', "data", "it holds no list of rows under 'data'"),
        (b'{"data": {}}', "data", "it holds no list of rows under 'data'"),
        (b'{"rows": []}', "data", "it holds no list of rows under 'data'"),
        (b'{"meta": {"data": []}}', "data", "it holds no list of rows under 'data'"),
        (b"[]", "data", "it holds no list of rows under 'data'"),
        (b'{"data": []}', None, "it holds no list of rows"),
        (b'"data"', None, "it holds no list of rows"),
        (b'{"data": [], "data": []}', "data", "the key data stands twice"),
        (b'{"data": null, "data": []}', "data", "the key data stands twice"),
        (b'{"a": 1, "a": 1, "data": []}', "data", "the key a stands twice"),
        ('{"data": []}'.encode("utf-16"), "data", "it is UTF-16, not UTF-8"),
        ('{"data": []}'.encode("utf-16-le"), "data", "it is not JSON at line 1, column 2"),
        ('{"data": []}'.encode("utf-32"), "data", "it is UTF-16, not UTF-8"),
    ],
)
def test_a_page_without_rows_is_refused(body: bytes, key: str | None, fault: str) -> None:
    """J12, J13: an error in the envelope's form is never an empty page."""
    with pytest.raises(InvalidResponseError) as caught:
        load_rows(body, key, who="Besitos")
    assert str(caught.value).startswith(f"Besitos sent an answer that cannot be used: {fault}")


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("1", 1), ("-0", 0), ("9223372036854775808", 2**63), ("1.0", Decimal("1.0")),
        ("1e3", Decimal("1E+3")),
        ("1e999", Decimal("1E+999")), ("0.30000000000000004", Decimal("0.30000000000000004")),
        ("1.10", Decimal("1.10")), ("1E-400", Decimal("1E-400")), ("true", True), ("null", None),
    ],
)  # fmt: skip
def test_j05_numbers_are_what_was_written(literal: str, value: object) -> None:
    """Nothing passes through a float: every digit of the literal is in the value."""
    (row,) = load_rows(b'[{"a": %s}]' % literal.encode(), None)[1]
    assert row.value is not None
    assert (type(row.value["a"]), str(row.value["a"])) == (type(value), str(value))


def test_j12_a_byte_order_mark_is_accepted() -> None:
    """Windows tools write one."""
    assert load_rows(b'\xef\xbb\xbf[{"a": 1}]', None) == ({}, [Row('{"a": 1}', {"a": 1}, None)])
    assert loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_j13_odd_but_sound_text_is_kept() -> None:
    """NUL, private use, right-to-left, whole pairs and a megabyte: unchanged."""
    text = "\x00\uf026\u202e\U0001f600" + "x" * (1 << 20)
    (row,) = load_rows(json.dumps([{"a": text}]).encode(), None)[1]
    assert row.value == {"a": text}


def test_as_deep_as_allowed_is_allowed() -> None:
    """The bound is the documented one, to the level."""
    deep = b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert load_rows(b"[" + deep + b"]", None)[1][0].fault is None


def test_brackets_in_texts_are_no_depth() -> None:
    """A note full of brackets is a note."""
    note = "[{" * 500 + '"\\'
    body = json.dumps({note: note, "data": [note, {note: note}]}).encode()
    envelope, (text, row) = load_rows(body, "data")
    assert envelope == {note: note}
    assert (text.fault, row.value) == ("the row is a text, not an object", {note: note})
    assert loads(json.dumps(note).encode()) == note


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def literal(value: Any) -> str:
    """JSON written by the simplest means, independent of the code under test."""
    if isinstance(value, Decimal):
        text = str(value)
        return text if any(mark in text for mark in ".E") else text + ".0"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",\n".join(literal(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json.dumps(value)


@settings(max_examples=50)
@given(rows=st.lists(st.dictionaries(st.text(), JSON_VALUES, max_size=5), max_size=5), meta=JSON_VALUES)
def test_every_row_comes_back_as_it_was(rows: list[dict[str, Any]], meta: object) -> None:
    """Value for value, and its raw text is the text that stood there."""
    texts = [literal(row) for row in rows]
    body = '{"meta": ' + literal(meta) + ', "data" :[ ' + " ,\r\n".join(texts) + "]}"
    envelope, found = load_rows(body.encode(), "data")
    assert [(row.raw, row.value, row.fault) for row in found] == [
        (text, row, None) for text, row in zip(texts, rows, strict=True)
    ]
    assert envelope == {"meta": meta}
    assert loads(body.encode()) == {"meta": meta, "data": rows}


PIECES = [
    *(
        b'{"data": [',
        b"]}",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b'"a"',
        b"\\",
        b"\\ud800",
        b"\x00",
        b"\xff",
    ),
    *(
        b"NaN",
        b"-",
        b"1",
        b"1e9",
        b"null",
        b"tru",
        b" ",
        b"\n",
        b'{"a": 1}',
        b'"data"',
        b"[" * 2000,
        b"\xef\xbb\xbf",
    ),
]


@given(
    body=st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join), key=st.sampled_from(["data", None])
)
def test_no_bytes_make_anything_but_our_error(body: bytes, key: str | None) -> None:
    """No RecursionError, no ValueError, no UnicodeError; and what loads is whole."""
    try:
        envelope, rows = load_rows(body, key)
    except InvalidResponseError:
        return
    assert all((row.value is None) != (row.fault is None) for row in rows)
    assert key not in envelope
    json.dumps([row.raw for row in rows], ensure_ascii=False).encode()


@given(body=st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_what_loads_takes_the_standard_library_takes_too(body: bytes) -> None:
    """Stricter than json, and never looser."""
    try:
        value = loads(body)
    except InvalidResponseError:
        return
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    assert json.loads(text, parse_float=Decimal) == loads(body, as_served=True)
    assert "\ufffd" in str(value) or value == loads(body, as_served=True)


@settings(max_examples=50)
@given(value=st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_what_is_sent_is_what_would_be_read(value: dict[str, Any]) -> None:
    """Decimals leave as numbers, digit for digit."""
    small = json.loads(literal(value), parse_float=Decimal, parse_int=lambda text: int(text) % 2**63)
    assert loads(dumps(small)) == small
