"""Laravel's length-aware paginator, to the letter of the document's sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ON_EACH_SIDE = 3


def current_page(query: Mapping[str, str]) -> int:
    """A page that is no whole number above 0 (`3;`, `0`, `x`) is page 1, as Laravel has it."""
    text = query.get("page", "1").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) >= 1 else 1


def paginate(
    total: int, page: int, per_page: int, shown: int, path: str, url: Callable[[int], str]
) -> dict[str, Any]:
    """`links` and `meta` of a page with `shown` rows of its own; `url(n)` is the address of page n."""
    last = max(-(-total // per_page), 1)
    before = url(page - 1) if page > 1 else None
    after = url(page + 1) if page < last else None
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
