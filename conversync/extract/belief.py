"""When what came of a listing is believed to be all of it, and why.

Where no number is announced, nothing but the end itself tells that a listing is over, and an end may be a cut: after so
many rows, or so many pages, without a word. So two readings have to agree that such a cut would have kept apart: the
days together, and in two parts, neither of which has all of it; of a single day, pages of another size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conversync.extract.pagination import Walk
from conversync.extract.piece import COUNT, PAGE, PASSES
from conversync.extract.spill import Spools

# Nobody cuts a day off after fewer rows than these without a word; a page may be as small as it likes.
LEAST_CUT = 1_000


def says_nothing(walk: Walk) -> bool:
    """Whether a pass came to its end, and no page of it announced a number. Where no page came, nothing is known."""
    return walk.pages > 0 and walk.announced is None and (has_ended(walk) or walk.is_ended)


def has_ended(walk: Walk) -> bool:
    """Whether an empty page, or none any more, showed the end of a pass."""
    is_unknown = walk.refused is not None and walk.refused.status == 404
    return walk.pages > 0 and (walk.is_past_end or is_unknown)


class Belief:
    """Looks at passes over one stream. `in_parts`: what announces no number has to come in parts, too."""

    def __init__(self, spools: Spools, *, in_parts: bool) -> None:
        self._spools = spools
        self._in_parts = in_parts
        self._most = 0

    def saw(self, walk: Walk) -> None:
        """Remembers how much one question can bring."""
        self._most = max(self._most, walk.received)

    def proof(self, walks: Sequence[Walk], *, counts: bool) -> str | None:
        """Why the last pass, or all of them together, is believed; None if it is not. `counts`: a total counts rows."""
        last = walks[-1]
        if not last.is_ended or (self._in_parts and last.announced is None):
            return None
        if last.pages <= 1 and last.received >= (last.announced or 0):
            return PAGE
        if last.total is not None and self._spools.events(last.spool) + len(last.bad_hashes) == last.total:
            return COUNT
        return PASSES if self._agree(walks, counts) else None

    def _agree(self, walks: Sequence[Walk], counts: bool) -> bool:
        """Whether passes that alone prove nothing do so together."""
        ended = [walk for walk in walks if walk.is_ended and len(walk.totals) == 1]
        if len(walks) < 2 or len(ended) < len(walks) or len({walk.total for walk in walks}) > 1:
            return False
        if self.repeats(walks, counts=counts):
            return True
        total = walks[-1].total if counts else None
        return (
            total is not None
            and len(walks) > 2
            and self.together(walks[:-1]) == self.together(walks) == total
        )

    def repeats(self, walks: Sequence[Walk], *, counts: bool) -> bool:
        """Whether the last two passes are alike, and each of them is all there is."""
        before, last = walks[-2:]
        if not self._spools.same(before.spool, last.spool) or before.bad_hashes != last.bad_hashes:
            return False
        if last.total is None or not counts:
            # Nothing is announced that counts: two passes without a repeat that are the same.
            return self._is_plain(last)
        # Two contents of one event, both of which are there again: the vendor lists them both.
        return self._spools.contents(last.spool) + len(last.bad_hashes) == last.total

    def together(self, walks: Sequence[Walk]) -> int:
        """Distinct events and rows set aside of several passes."""
        bad = set[str]().union(*(walk.bad_hashes for walk in walks))
        return self._spools.events(*(walk.spool for walk in walks)) + len(bad)

    def agree_in_parts(self, whole: Walk, parts: Sequence[Walk]) -> bool:
        """Whether days that came together came in parts as well: neither had all of it, so no cut made them alike."""
        if not all(map(says_nothing, parts)) or not self._is_plain(whole):
            return False
        if whole.received and max(part.received for part in parts) >= whole.received:
            return False
        return self.together([whole]) == self.together(parts) == self.together([whole, *parts])

    def agree_in_pages(self, one: Walk, walk: Callable[[], Walk]) -> Walk | None:
        """A pass in pages of another size, if it brings the same and neither can be a cut; else None."""
        if not has_ended(one) or not self._is_plain(one):
            return None
        if one.received >= max(LEAST_CUT, self._most):
            return None
        other = walk()
        is_alike = self._spools.same(one.spool, other.spool) and one.bad_hashes == other.bad_hashes
        return other if has_ended(other) and self._is_plain(other) and is_alike else None

    def _is_plain(self, walk: Walk) -> bool:
        """Whether no row came twice, which could stand in another's place."""
        return self.together([walk]) == walk.received
