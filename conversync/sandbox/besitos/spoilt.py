"""Questions that are answered, for ever, with what is no page of the feed, while all others are answered rightly."""

from __future__ import annotations

from conversync.sandbox.besitos.limits import failed
from conversync.sandbox.besitos.reading import Read
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.faults import LOGIN_PAGE
from conversync.sandbox.messages import Answer, json_answer

_JSON = (("Content-Type", "application/json"),)


def spoilt(read: Read, page: int, per_page: int, variants: Variants) -> Answer | None:
    """The wrong answer to a question that meets all of what the variants name; None for any other."""
    if variants.spoilt == "none" or not _meets(read, page, per_page, variants):
        return None
    return {
        "error": json_answer(200, {"error": "The report is being rebuilt"}),
        "page": Answer(200, LOGIN_PAGE, (("Content-Type", "text/html"),)),
        "cut": Answer(200, b'{"data":[{"transaction_id":1,"pay', _JSON),
        "form": json_answer(200, {"result": {"rows": []}}),
        "empty": Answer(200, b"", _JSON),
        "unknown": json_answer(404, {"message": "Not Found"}),
        "failed": failed(),
        "bad": json_answer(400, {"message": "Bad Request"}),
        "forbidden": json_answer(403, {"message": "Forbidden"}),
    }[variants.spoilt]


def _meets(read: Read, page: int, per_page: int, variants: Variants) -> bool:
    day, days = variants.spoilt_day, (read.to_date - read.from_date).days + 1
    return (
        (not day or str(read.from_date) <= day <= str(read.to_date))
        and (not variants.spoilt_page or page == variants.spoilt_page)
        and per_page > variants.spoilt_per_page
        and days > variants.spoilt_range
        and (variants.spoilt_flag != "reversals" or read.is_reverse == "true")
        and (variants.spoilt_flag != "everything" or read.is_reverse is None)
        and (variants.spoilt_flag != "filtered" or read.is_reverse is not None)
    )
