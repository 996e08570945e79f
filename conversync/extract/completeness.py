"""When what came of a listing is believed to be all of it, and why.

Where no number is announced, nothing but the end itself tells that a listing is over, and an end may be a cut: after so
many rows, or so many pages, without a word. So two readings have to agree that such a cut would have kept apart: the
days together, and in two parts, neither of which has all of it; of a single day, pages of another size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conversync.extract.complete_piece import COUNT, PAGE, PASSES
from conversync.extract.pagination import Scan
from conversync.extract.spill import SpillFiles

# Nobody cuts a day off after fewer rows than these without a word; a page may be as small as it likes.
LEAST_CUT = 1_000


def says_nothing(scan: Scan) -> bool:
    """Whether a pass came to its end, and no page of it announced a number. Where no page came, nothing is known."""
    return scan.pages > 0 and scan.announced is None and (has_ended(scan) or scan.is_ended)


def has_ended(scan: Scan) -> bool:
    """Whether an empty page, or none any more, showed the end of a pass."""
    is_unknown = scan.refused is not None and scan.refused.status == 404
    return scan.pages > 0 and (scan.is_past_end or is_unknown)


def _announce_alike(scans: Sequence[Scan]) -> bool:
    """Whether all came to their end, and each page of each announced the same, or nothing."""
    totals = {total for scan in scans for total in scan.totals}
    return len(totals) == 1 and all(scan.is_ended and scan.totals for scan in scans)


class Belief:
    """Looks at passes over one stream. `in_parts`: what announces no number has to come in parts, too."""

    def __init__(self, spill_files: SpillFiles, *, in_parts: bool) -> None:
        self._spools = spill_files
        self._in_parts = in_parts
        self._most = 0

    def saw(self, scan: Scan) -> None:
        """Remembers how much one question can bring."""
        self._most = max(self._most, scan.received)

    def proof(self, scans: Sequence[Scan], *, counts: bool) -> str | None:
        """Why the last pass, or all of them together, is believed; None if it is not. `counts`: a total counts rows."""
        last = scans[-1]
        if not last.is_ended or (self._in_parts and last.announced is None):
            return None
        if last.pages <= 1 and last.received >= (last.announced or 0):
            return PAGE
        if self._counts_all(last) and not self.moved(scans):
            return COUNT
        return PASSES if self._agree(scans, counts) else None

    def _counts_all(self, scan: Scan) -> bool:
        """Whether as many distinct events came as each page announced, and nothing slid meanwhile."""
        if scan.total is None or scan.has_slid:
            return False
        return self._spools.events(scan.spill_file) + len(scan.bad_hashes) == scan.total

    def moved(self, scans: Sequence[Scan]) -> bool:
        """Whether a row happened while the last pass was made, on several pages of one and the same total.

        Then another one left meanwhile, and where that stood, a third may have slid onto a page that was there already.
        """
        last, before = scans[-1], scans[-2] if len(scans) > 1 else None
        if last.pages < 2 or last.since is None or last.total is None:
            return False
        return self._spools.came_since(last.since, last.spill_file, before.spill_file if before else None)

    def _agree(self, scans: Sequence[Scan], counts: bool) -> bool:
        """Whether passes that alone prove nothing do so together."""
        if len(scans) < 2 or not _announce_alike(scans):
            return False
        if self.repeats(scans, counts=counts):
            return True
        total = scans[-1].total
        if total is None or not counts or len(scans) < 3:
            return False
        return self.together(scans[:-1]) == self.together(scans) == total

    def repeats(self, scans: Sequence[Scan], *, counts: bool) -> bool:
        """Whether the last two passes are alike, and each of them is all there is."""
        before, last = scans[-2:]
        if not self._spools.same(before.spill_file, last.spill_file) or before.bad_hashes != last.bad_hashes:
            return False
        if last.total is None or not counts:
            # Nothing is announced that counts: two passes without a repeat that are the same.
            return self._is_plain(last)
        # Two contents of one event, both of which are there again: the vendor lists them both.
        return self._spools.contents(last.spill_file) + len(last.bad_hashes) == last.total

    def together(self, scans: Sequence[Scan]) -> int:
        """Distinct events and rows set aside of several passes."""
        bad = set[str]().union(*(scan.bad_hashes for scan in scans))
        return self._spools.events(*(scan.spill_file for scan in scans)) + len(bad)

    def agree_in_parts(self, whole: Scan, parts: Sequence[Scan]) -> bool:
        """Whether days that came together came in parts as well: neither had all of it, so no cut made them alike."""
        if not all(map(says_nothing, parts)) or not self._is_plain(whole):
            return False
        if whole.received and max(part.received for part in parts) >= whole.received:
            return False
        return self.together([whole]) == self.together(parts) == self.together([whole, *parts])

    def agree_in_pages(self, one: Scan, scan: Callable[[], Scan]) -> Scan | None:
        """A pass in pages of another size, if it brings the same and neither can be a cut; else None."""
        if not has_ended(one) or not self._is_plain(one):
            return None
        if one.received >= max(LEAST_CUT, self._most):
            return None
        other = scan()
        is_alike = self._spools.same(one.spill_file, other.spill_file) and one.bad_hashes == other.bad_hashes
        return other if has_ended(other) and self._is_plain(other) and is_alike else None

    def _is_plain(self, scan: Scan) -> bool:
        """Whether no row came twice, which could stand in another's place."""
        return self.together([scan]) == scan.received
