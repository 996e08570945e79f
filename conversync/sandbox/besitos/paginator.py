"""Laravel's length-aware paginator, to the letter of the document's sample; and pages that are cut wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from conversync.sandbox.besitos.variants import Variants

ON_EACH_SIDE = 3

AnyRow = TypeVar("AnyRow")


def current_page(query: Mapping[str, str]) -> int:
    """A page that is no whole number above 0 (`3;`, `0`, `x`) is page 1, as Laravel has it."""
    text = query.get("page", "1").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) >= 1 else 1


def cut(rows: Sequence[AnyRow], page: int, per_page: int, variants: Variants) -> list[AnyRow]:
    """The page's rows, as right or as wrong as the variants have it."""
    if variants.pages == "echoed" or (variants.pages == "second_repeats" and page == 2):
        page = 1
    begin = (page - 1) * per_page
    if variants.past_end == "last" and begin >= len(rows):
        begin = max(len(rows) - 1, 0) // per_page * per_page
    shown = list(rows[begin : begin + per_page])
    if variants.pages == "boundary" and page == 2 and shown:
        shown[0] = rows[begin - 1]
    return shown


def announced(total: int, variants: Variants) -> int:
    """What `meta.total` says where there are `total` rows."""
    told = max(total - variants.total_behind, 0)
    return min(told, variants.total_cap) if variants.total_cap else told


def paginate(
    total: int,
    page: int,
    per_page: int,
    shown: int,
    path: str,
    url: Callable[[int], str],
    *,
    goes_on: bool = False,
) -> dict[str, Any]:
    """`links` and `meta` of a page with `shown` rows of its own; `url(n)` is the address of page n.

    With `goes_on` there is a next page, whatever `total` says.
    """
    last = max(-(-total // per_page), 1)
    before = url(page - 1) if page > 1 else None
    after = url(page + 1) if goes_on or page < last else None
    first_row = (page - 1) * per_page + 1 if shown else None
    return {
        "links": {"first": url(1), "last": url(last), "prev": before, "next": after},
        "meta": {
            "current_page": page,
            "from": first_row,
            "last_page": last,
            "links": [
                {"url": before, "label": "« Previous", "active": False},
                *(_numbered(number, page, url) for number in _window(page, last)),
                {"url": after, "label": "Next »", "active": False},
            ],
            "path": path,
            "per_page": per_page,
            "to": None if first_row is None else first_row + shown - 1,
            "total": total,
        },
    }


def _numbered(number: int | None, page: int, url: Callable[[int], str]) -> dict[str, Any]:
    if number is None:
        return {"url": None, "label": "...", "active": False}
    return {"url": url(number), "label": str(number), "active": number == page}


def _window(page: int, last: int) -> list[int | None]:
    """The numbered links; None is a gap. All of up to 13 pages, else both ends and what is near."""
    near = ON_EACH_SIDE + 4
    if last < ON_EACH_SIDE * 2 + 8:
        return list(range(1, last + 1))
    if page <= near:
        return [*range(1, near + ON_EACH_SIDE + 1), None, last - 1, last]
    if page > last - near:
        return [1, 2, None, *range(last - near - ON_EACH_SIDE + 1, last + 1)]
    return [1, 2, None, *range(page - ON_EACH_SIDE, page + ON_EACH_SIDE + 1), None, last - 1, last]
