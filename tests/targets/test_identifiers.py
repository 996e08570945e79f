"""X23: what no id can be is refused by every target with its reason, and so is what no currency can be."""

from __future__ import annotations

from typing import Any

import pytest

from conversync.send.target import RowRefusedError
from conversync.send.values import currency, identifier
from conversync.vendors import targets
from tests.targets.sending import Post
from tests.targets.test_targets import ROWS

UNUSABLE = [
    "{clickid}",
    "${x}",
    "{{ subid }}",
    "%%x%%",
    "%CLICK_ID%",
    "[SUB1]",
    "<clickid>",
    "__CLICKID__",
    "#subid#",
    "%7Bclickid%7D",
    "click-{clickid}",
    "null",
    "NULL",
    "undefined",
    "NaN",
    "None",
    "n/a",
    "[object Object]",
    "NA",
    "#N/A",
    "(none)",
    "-",
    "\\N",
    "inf",
    "-Infinity",
    "NaT",
    "$clickid",
    "@clickid@",
    ":clickid",
    "{?clickid}",
    "{{ clickid | upper }}",
    "[[clickid]]",
    "<%= clickid %>",
    " x",
    "x ",
    "x\n",
    "a\tb",
    "a\x00b",
    "a\u200bb",
    "a\u00a0",
    "",
    "  ",
]
USABLE = [
    "2o6kvp5m3c3a1b",
    "a b",
    "nullable",
    "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
    "a%b",
    "x_1",
    "\u00e9",
    "[1]",
    "0",
    "-1",
    "na-1",
    "info",
    "$5",
    "a@b",
    "a:b",
]
IDS = {
    "keitaro.conversions": ["subid", "tid"],
    "optibase.conversions": ["conversion_id", "tested_user_id"],
    "infobip.tags": ["process_key"],
    "infobip.logs": ["process_key", "process_tag_key", "process_log_key"],
    "infobip.messages": ["process_key"],
    "conductrics.goals": ["code"],
}


@pytest.mark.parametrize("value", UNUSABLE)
def test_x23_what_no_id_can_be_is_refused(value: str) -> None:
    """A placeholder that nobody filled in, a word for nothing, blanks, what cannot be printed."""
    with pytest.raises(RowRefusedError, match=r"^subid is "):
        identifier({"subid": value}, "subid")


@pytest.mark.parametrize("value", USABLE)
def test_x23_what_may_be_an_id_is_one(value: str) -> None:
    assert identifier({"subid": value}, "subid") == value


@pytest.mark.parametrize(
    ("name", "column"), [(name, column) for name, columns in IDS.items() for column in columns]
)
@pytest.mark.parametrize("value", ["{clickid}", "undefined", "x\n"])
def test_x23_every_target_has_the_same_rule(post: Post, name: str, column: str, value: str) -> None:
    """For each of its ids, and no request is made."""
    row: dict[str, Any] = {**ROWS[name], column: value}
    with pytest.raises(RowRefusedError, match=f"^{column} is "):
        post.send(name, **row)
    assert post.sandbox.requests == []
    assert set(IDS) | {"infobip.processes"} == set(targets())


@pytest.mark.parametrize(
    "value",
    ["$", "Dollars", "US", "U5D", "\u20ac", "USD ", "NaN", "nan", "nul", "XXX", "xts", "\uff35\uff33\uff24"],
)
def test_x23_a_currency_is_three_letters(post: Post, value: str) -> None:
    with pytest.raises(RowRefusedError, match="three letters, such as USD"):
        post.send("keitaro.conversions", subid="c", tid="1", currency=value)
    assert post.sandbox.requests == []
    assert [currency({"c": one}, "c") for one in ("USD", "eur", None, "")] == ["USD", "eur", None, None]
