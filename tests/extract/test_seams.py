"""How a listing is cut into pages that overlap: every seam, whatever its length and that of its pages."""

from __future__ import annotations

from itertools import pairwise

import pytest

from conversync.extract.page_overlap import Cut


@pytest.mark.parametrize("by_offset", [False, True])
@pytest.mark.parametrize("size", [2, 3, 7, 10, 50, 1000])
def test_each_page_begins_with_rows_of_the_one_before_and_all_rows_are_on_one(
    size: int, by_offset: bool
) -> None:
    for may_be_more in (False, True):
        _laid_out(size, by_offset, may_be_more)


def _laid_out(size: int, by_offset: bool, may_be_more: bool) -> None:
    for total in (*range(1, 60), *range(size * 5, size * 120, size * 3 + 1)):
        cut = Cut.overlapping(size, total, by_offset=by_offset, may_be_more=may_be_more)
        if cut is None:
            continue
        plain = -(-total // size)
        slices = [cut.slice(place) for place in range(1, cut.pages(total, 2 * plain + 2) + 1)]
        assert plain <= len(slices) <= plain + (2 + plain // 8 if may_be_more else 0)
        assert slices[0].end == size
        for before, after in pairwise(slices):
            begin = after.end - after.rows
            assert 1 <= after.overlap == before.end - begin <= before.rows
            assert after.rows <= size
            assert by_offset or after.rows == after.step
        assert slices[-2].end <= total < slices[-1].end


@pytest.mark.parametrize(("pages", "more"), [(2, 0), (10, 0), (20, 0), (100, 5), (1000, 45)])
def test_a_thousand_rows_a_page_cost_hardly_any_page_more(pages: int, more: int) -> None:
    """Of a listing whose last page is half full."""
    total = 1000 * pages - 500
    cut = Cut.overlapping(1000, total, by_offset=False, may_be_more=True)
    assert cut is not None
    assert cut.pages(total, 2 * pages) <= pages + more


@pytest.mark.parametrize("total", [0, 1, 10])
def test_one_page_has_no_seam(total: int) -> None:
    assert Cut.overlapping(10, total, by_offset=False, may_be_more=True) is None
    assert Cut.overlapping(0, 10, by_offset=True, may_be_more=True) is None
