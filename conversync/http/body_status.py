"""What a body says of its own fate: with HTTP's 200, too, an answer may speak of an error."""

from __future__ import annotations

from collections.abc import Callable

from conversync.errors import InvalidResponseError
from conversync.http import strictjson
from conversync.http.rejection import body_status, says_error
from conversync.http.response import Response
from conversync.types import Document


class BodyStatusError(InvalidResponseError):
    """A success by HTTP whose body says that it is none. `told` is the HTTP status that it names, if it names one.

    Whoever reads an answer raises it; the client says it in the vendor's name, as if HTTP had named that status.
    """

    def __init__(self, told: int | None) -> None:
        why = f" ({told})" if told else ""
        super().__init__(f"The vendor answered with an error instead of data{why}: try again later.")
        self.told = told


def refuse_error(body: object) -> None:
    """Raises BodyStatusError where a body, or the envelope around its rows, speaks of an error."""
    status = body_status(body, 200)
    if status >= 400 or says_error(body):
        raise BodyStatusError(status if status >= 400 else None)


def refuse_error_in(text: bytes) -> None:
    """The same of a body that is still text; one that is no JSON says nothing."""
    try:
        body = strictjson.loads(text)
    except InvalidResponseError:
        return
    refuse_error(body)


def rows_of(answer: Response, key: str) -> tuple[Document, list[strictjson.Row]]:
    """`answer.rows(key)` of an answer that speaks of no error; what it says of one comes before that it has no rows."""
    rows: list[strictjson.Row] = []
    return envelope_of(answer, key, rows.append), rows


def envelope_of(answer: Response, key: str, take: Callable[[strictjson.Row], None]) -> Document:
    """As `rows_of`, but each row is given to `take`, which counts for nothing where this raises."""
    try:
        envelope = answer.each_row(key, take)
    except InvalidResponseError:
        refuse_error_in(answer.body)
        raise
    refuse_error(envelope)
    return envelope
