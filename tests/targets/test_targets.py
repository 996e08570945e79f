"""All targets: their names, their columns, what they have in common, and money digit for digit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversync.errors import InvalidResponseError
from conversync.http.strictjson import dumps
from conversync.sandbox import Fault
from conversync.send.target import Request, RowRefusedError
from conversync.send.values import amount, flag, plain, text, whole
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of

COLUMNS = {
    "optibase.conversions": "conversion_id! tested_user_id tested_user_external_id",
    "keitaro.conversions": "subid! status payout currency tid cost "
    + " ".join(f"sub_id_{number}" for number in range(1, 16))
    + " comment",
    "infobip.processes": "name! description!",
    "infobip.tags": "process_key! name description process_tag_type",
    "infobip.logs": "process_key! process_tag_key process_log_key country_code os_type",
    # url_track_info is more than the table has, and what its text asks for.
    "infobip.messages": "sender_address! address! message process_key tag url_track_info",
    "conductrics.goals": "code! name agents count_max value_min value_max deleted",
}
ROWS: dict[str, dict[str, Any]] = {
    "optibase.conversions": {"conversion_id": "c", "tested_user_id": "u"},
    "keitaro.conversions": {"subid": "s", "tid": "1"},
    "infobip.processes": {"name": "n", "description": "d"},
    "infobip.tags": {"process_key": "k"},
    "infobip.logs": {"process_key": "k"},
    "infobip.messages": {"sender_address": "INFOSMS", "address": "385981234567"},
    "conductrics.goals": {"code": "g", "name": "n", "agents": "[]"},
}
MONEY = st.decimals(min_value=-(10**12), max_value=10**12, places=6)


def test_the_names_and_the_columns() -> None:
    """`!` must be there; the order is the one to show."""
    found = {
        name: " ".join(f"{one.name}{'!' * one.required}" for one in target.columns)
        for name, target in targets().items()
    }
    assert found == COLUMNS
    assert all(name == target.name for name, target in targets().items())
    assert all(one.what for target in targets().values() for one in target.columns)


@pytest.mark.parametrize("name", ROWS)
def test_a_redirect_is_never_followed(post: Post, name: str) -> None:
    """It would carry the body or the credentials elsewhere, and turn a POST into a GET."""
    post.sandbox.faults.add(Fault(redirect="https://elsewhere.example.com/x"))
    with pytest.raises(InvalidResponseError, match=r"elsewhere\.example\.com"):
        post.send(name, **ROWS[name])
    assert len(post.sandbox.requests) == 1


@pytest.mark.parametrize("name", ROWS)
def test_a_login_page_is_no_success(post: Post, name: str) -> None:
    """200 and HTML: nothing of it is believed, and nothing of it is shown."""
    post.sandbox.faults.add(Fault(html=True))
    with pytest.raises(InvalidResponseError, match="web page") as caught:
        post.send(name, **ROWS[name])
    assert "Sign in" not in str(caught.value)


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize("name", ROWS)
def test_the_same_row_makes_the_same_request(name: str) -> None:
    """Whatever the order of its columns; the row is left as it was."""
    row = {**ROWS[name], "send_key": "k"}
    backwards = dict(reversed(row.items()))
    target, settings = targets()[name], settings_of(name)
    one, other = (target.request(given_row, settings, {}) for given_row in (row, backwards))
    assert one == other
    assert list(row) == [*ROWS[name], "send_key"]


def test_a_secret_is_shown_in_none_of_its_forms() -> None:
    """Raw, percent-encoded, as a query has it, and escaped as in JSON; the longest of two first."""
    secret = 'a b/"ä"'
    request = Request(
        "POST",
        f"/x/{quote(secret, safe='')}",
        params=(("q", secret),),
        json={"k": secret, "l": "abc"},
        secrets=(secret, "ab", "abc", ""),
    )
    assert request.shown() == 'POST /x/***?q=*** {"k":"***","l":"***"}'


@given(MONEY)
def test_money_goes_out_digit_for_digit(value: Decimal) -> None:
    """From any column type, the same text: no exponent, no zeros at its end, and the very same number."""
    written = plain(value)
    assert Decimal(written) == value
    assert "e" not in written.lower()
    assert written == plain(amount({"a": written}, "a") or Decimal(0))
    assert not written.endswith(".")
    assert "." not in written or not written.endswith("0")
    assert written != "-0"
    assert dumps(Decimal(written)).decode() == written or abs(value) < Decimal("0.000001")


@pytest.mark.parametrize("written", ["-0", "0", "0.00", "-0.000000", "0E+3"])
def test_nothing_is_0(written: str) -> None:
    """However it was computed."""
    assert plain(Decimal(written)) == "0"


@given(st.integers(-(10**9), 10**9))
def test_a_double_is_taken_for_what_was_written(cents: int) -> None:
    """DuckDB reads a CSV's 12.34 as a double: its shortest form is what stood there."""
    value = amount({"a": cents / 100}, "a")
    assert value is not None
    assert value == Decimal(cents) / 100


@pytest.mark.parametrize("written", ["0.1234567", "1e-7", "NaN", "-inf", "0.30000000000000004"])
def test_a_double_that_is_a_calculations_rest_is_refused(written: str) -> None:
    """The way out is in the sentence."""
    with pytest.raises(RowRefusedError, match=r"cast it to decimal\(18,6\)"):
        amount({"a": float(written)}, "a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        (" \t", None),
        (" a ", " a "),
        (7, "7"),
        (2**70, "1180591620717411303424"),
        (Decimal("7.00"), "7"),
        (Decimal("1E+3"), "1000"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_ids_of_any_type_are_text(value: object, expected: str | None) -> None:
    """As they stand; blank is missing."""
    assert text({"a": value}, "a") == expected
    assert text({}, "a") is None


def test_a_flag_is_never_guessed() -> None:
    """It deletes."""
    assert [flag({"a": value}, "a") for value in (None, False, 0, "false", " FALSE ", "0")] == [False] * 6
    assert [flag({"a": value}, "a") for value in (True, 1, "true", "1")] == [True] * 4
    for wrong in ("yes", 2, 1.0, (), ""):
        with pytest.raises(RowRefusedError, match="neither true nor false"):
            flag({"a": wrong}, "a")


@pytest.mark.parametrize("value", [1.5, "1.5", 2**63, True, "x"])
def test_a_count_is_a_whole_number(value: object) -> None:
    """Within 64 bits."""
    with pytest.raises(RowRefusedError):
        whole({"a": value}, "a")


def test_the_readme_shows_what_is_sent(post: Post) -> None:
    """Every column stands in it, and its example requests are ours."""
    readme = (Path(__file__).parents[2] / "docs" / "sending.md").read_text(encoding="utf-8")
    for target in targets().values():
        for column in target.columns:
            assert column.name in readme or column.name.startswith("sub_id_")
    examples: dict[str, list[dict[str, Any]]] = {
        "optibase.conversions": [
            {"conversion_id": "serverside_conversion", "tested_user_external_id": "id123"}
        ],
        "keitaro.conversions": [
            {"subid": "2o6kvp5m3c3a1b", "status": "sale", "payout": 10.5, "currency": "USD", "tid": 45415}
        ],
        "infobip.processes": [{"name": "Sign-up tracking", "description": "My awesome Sign-up tracking"}],
        "conductrics.goals": [
            {"code": "g-Nd40yzQjDf", "name": "My New Name"},
            {"code": "shop/sale", "deleted": True},
        ],
    }
    for name, rows in examples.items():
        for row in rows:
            method, path, *body = post.request(name, **row).shown().split(" ", 2)
            assert "\n".join([f"{method} {path}", *body]) in readme
