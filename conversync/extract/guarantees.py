"""What is guaranteed of a listing here, in words for `conversync check`: why it is believed, or why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conversync.extract.check_results import CheckResult
from conversync.extract.complete_piece import COUNT, PAGE, PASSES, Piece
from conversync.extract.reading import Read

_WHY = {
    COUNT: "complete by count (every page announces the same total, as many distinct rows came{})",
    PAGE: "complete by one page (all rows came on it)",
    PASSES: "complete by several readings that add up to the total",
}


def proved(done: Read, what: str) -> Iterator[CheckResult]:
    """Of a stream that was read as a night would read it: how many rows, why that is all, and what was found."""
    yield _complete(done, what)
    for doubt in {scan.doubt: None for scan in done.scans if scan.doubt}:
        yield CheckResult(False, f"{what}: its next links cannot be right: {doubt}; none is followed")
    for found in dict.fromkeys(done.reading.pieces.bounds.found):
        yield CheckResult(True, f"{what}: {found}; a night asks accordingly")
    bad = [rejected for scan in done.scans for rejected, _ in scan.bad]
    if bad:
        yield CheckResult(False, f"{what}: {len(bad):,} rows would be set aside: {bad[0].reason}")


def _complete(done: Read, what: str) -> CheckResult:
    """Whether all of it came, and why that is believed."""
    rows = sum(piece.statements for piece in done.pieces)
    missing = sum(piece.known_missing for piece in done.pieces)
    if missing:
        return CheckResult(False, f"{what}: not provable, short by {missing:,} of {rows + missing:,} rows")
    if any(piece.missing for piece in done.pieces):
        return CheckResult(False, f"{what}: {rows:,} rows, which cannot be shown to be all")
    return CheckResult(True, f"{what}: {rows:,} rows, {'; '.join(_reasons(done.pieces))}")


def _reasons(pieces: Sequence[Piece]) -> list[str]:
    """Why whole pieces are believed, each reason once."""
    proofs = {piece.proof for piece in pieces}
    counted = [scan for piece in pieces for scan in piece.believed if piece.proof == COUNT]
    seams = ", and pages overlap" if all(scan.is_sewn for scan in counted) else ""
    why = [_WHY[proof].format(seams) for proof in (COUNT, PAGE, PASSES) if proof in proofs]
    return [*why, "still moving today"] if None in proofs else why
