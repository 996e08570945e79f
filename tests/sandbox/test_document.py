"""The document's own example, to the letter: its request, `;` and all, gets its response, comma and all."""

from __future__ import annotations

import re

from conversync.sandbox import Sandbox, Variants
from tests.sandbox.asking import ask

REQUEST = (
    "https://wall.besitos.ai/data/partner/conversions?from_date=2024-12-01&to_date=2024-12-16"
    "&user_id=tWAek9twniogX0e&offer_id=NvGopKLbVIA9"
    "&is_reverse=false&per_page=2&page=3;"
)

RESPONSE = """
{
"data": [
{
"user_id": "asdfn-234ghhh",
"transaction_id": 2601266,
"reward": 0,
"payout": 11.05,
"offer_id": "tU5z8PU5BIR9",
"offer_name": "Club Vegas Slots",
"note": "Successfully Installed the App",
"date_time": "2024-12-04 06:24:55",
"reward_local_currency": 0,
"goal_id": "tU5z8PU5BIR9_0"
},
{
"user_id": "asdfn-234ghhh",
"transaction_id": 2601267,
"reward": 40,
"payout": 0,
"offer_id": "tU5z8PU5BIR9",
"offer_name": "Club Vegas Slots",
"note": "Level 91 Reached",
"date_time": "2024-12-04 06:25:36",
"reward_local_currency": 4000,
"goal_id": "tU5z8PU5BIR9_133"
},
],
"links": {
"first": "https://wall.besitos.ai/data/partner/conversions?page=1",
"last": "https://wall.besitos.ai/data/partner/conversions?page=1",
"prev": null,
"next": null
},
"meta": {
"current_page": 1,
"from": 1,
"last_page": 1,
"links": [
{
"url": null,
"label": "« Previous",
"active": false
},
{
"url": "https://wall.besitos.ai/data/partner/conversions?page=1",
"label": "1",
"active": true
},
{
"url": null,
"label": "Next »",
"active": false
}
],
"path": "https://wall.besitos.ai/data/partner/conversions",
"per_page": 1000,
"to": 6,
"total": 6
}
}
"""

AS_IN_THE_SAMPLE = Variants(
    links_root="https://wall.besitos.ai",
    trailing_comma=True,
    ignores=frozenset({"user_id", "offer_id", "is_reverse", "per_page"}),
)
"""The sample's rows are not of the user and offer asked for, and 2 rows a page were asked for, 1000 given."""


def rows_of(text: str) -> list[str]:
    """The rows of a document as they stand in it."""
    return re.findall(r"\{[^{}]*\"user_id\"[^{}]*\}", text)


def squeezed(text: str) -> str:
    """JSON text without the white space between its tokens; else untouched."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text)


def test_the_sample_request_gets_the_sample_response() -> None:
    """Byte for byte, trailing comma included; the four rows that the sample leaves out are empty text."""
    first, second = map(squeezed, rows_of(RESPONSE))
    with Sandbox(variants=AS_IN_THE_SAMPLE) as sandbox:
        sandbox.besitos.rows = [first, second, "", "", "", ""]
        reply = ask(sandbox, REQUEST.removeprefix("https://wall.besitos.ai"))
    assert reply.status == 200
    assert squeezed(re.sub(",+]", ",]", reply.text)) == squeezed(RESPONSE)


def test_page_3_with_a_semicolon_is_page_1() -> None:
    """`page=3;` is no number, so the paginator answers with page 1, as the sample's response does."""
    with Sandbox(variants=Variants(false="originals")) as sandbox:
        sandbox.besitos.rows = [{"transaction_id": number} for number in range(5)]
        pages = [
            ask(sandbox, f"/data/partner/conversions?per_page=2&page={page}").json()["meta"]["current_page"]
            for page in ("3;", "3", "0", "x", "-1", "")
        ]
    assert pages == [1, 3, 1, 1, 1, 1]
