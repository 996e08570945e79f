"""What a request is refused for, in the framework's own form; and what is cut off without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from conversync.sandbox.besitos.paginator import current_page
from conversync.sandbox.besitos.reading import Read
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.messages import Answer, json_answer


def invalid(name: str, text: str) -> Answer:
    """422 for one parameter: the text as `message`, and in `errors` under its name."""
    return json_answer(422, {"message": text, "errors": {name: [text]}})


def failed() -> Answer:
    """The framework's 500, which gives no reason."""
    return json_answer(500, {"message": "Server Error"})


def refusal(query: Mapping[str, str], read: Read, per_page: int, variants: Variants) -> Answer | None:
    """The answer to a request that this reading does not allow. `query` holds what the server listens to."""
    refused = _beyond(query, read, per_page, variants)
    if refused is not None:
        return failed() if variants.beyond_limits == "failed" else refused
    if _flag_refused(read.is_reverse, variants):
        return invalid("is_reverse", "The is reverse field must be true or false.")
    return None


def _beyond(query: Mapping[str, str], read: Read, per_page: int, variants: Variants) -> Answer | None:
    asked = query.get("per_page", "")
    limit = variants.per_page_limit
    if limit and asked.isdigit() and int(asked) > limit:
        return invalid("per_page", f"The per page field must not be greater than {limit}.")
    step = variants.per_page_step
    if step and variants.per_page_other == "refused" and asked.isdigit() and int(asked) % step:
        return invalid("per_page", "The selected per page is invalid.")
    if variants.offset_limit and (current_page(query) - 1) * per_page >= variants.offset_limit:
        return invalid("page", f"Only the first {variants.offset_limit} rows can be paged through.")
    if _over(read, variants) and variants.range_over == "refused":
        return invalid("to_date", f"The date range must not exceed {variants.range_limit} days.")
    return None


def clipped(read: Read, variants: Variants) -> Read:
    """The window that is really answered."""
    if not _over(read, variants) or variants.range_over == "refused":
        return read
    span = timedelta(days=variants.range_limit - 1)
    if variants.range_over == "first":
        return replace(read, to_date=read.from_date + span)
    return replace(read, from_date=read.to_date - span)


def _over(read: Read, variants: Variants) -> bool:
    days = (read.to_date - read.from_date).days + 1
    return bool(variants.range_limit) and days > variants.range_limit


def _flag_refused(is_reverse: str | None, variants: Variants) -> bool:
    if is_reverse is None or variants.is_reverse not in ("rule", "refused"):
        return False
    return variants.is_reverse == "refused" or is_reverse not in ("0", "1")
