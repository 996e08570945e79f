"""The vendor's answers: an HTTP status, and another one in the body, and what stands under `data`.

The document shows `{"status": 200, "data": [...]}` for the list, and leaves open how a single goal is wrapped: as an
object under `data`, as a list with it, or bare.
"""

from __future__ import annotations

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    RequestRejectedError,
    TooLongError,
    UnavailableError,
)
from conversync.http.client import Response
from conversync.http.rejection import said, says_error
from conversync.http.strictjson import Row

# Statuses whose answers are read here; all others have their sentence without a body.
ACCEPTED = (400, 404)
# Of a list, and of one goal, in bytes: all of them are in memory together, and ten thousand goals are 5 MB.
MOST_OF_LIST, MOST_OF_ITEM = 8 * 1024 * 1024, 1024 * 1024
CREDENTIALS_HINT = "Check conductrics_api_key in .dlt/secrets.toml or CONDUCTRICS_API_KEY."


class Gone(Exception):  # noqa: N818 - not an error: what was asked for is not there any more
    """Nothing stands at this address, by HTTP's status or by the body's."""


def items(answer: Response) -> list[Row]:
    """The rows of a list. Raises Gone, and the errors of `conversync.errors`."""
    refuse_long(len(answer.body), MOST_OF_LIST)
    try:
        envelope, rows = answer.rows("data")
    except InvalidResponseError:
        if answer.status >= 400:
            raise _refused(answer.status, answer) from None
        _judge(answer, answer.json())
        raise
    _judge(answer, envelope)
    return rows


def item(answer: Response) -> Row:
    """One object, with its fault if it has one. Raises Gone, and the errors of `conversync.errors`."""
    if answer.status >= 400:
        answer.refuse_html()
        raise _refused(answer.status, answer)
    refuse_long(len(answer.body), MOST_OF_ITEM)
    row = answer.row()
    if row.value is None:
        return row
    _judge(answer, row.value)
    data = row.value.get("data", row.value)
    if isinstance(data, list) and len(data) == 1:
        [data] = data
    if not isinstance(data, dict) or "code" not in data:
        raise InvalidResponseError("Conductrics answered without the goal that was asked for.")
    return Row(row.raw, data, None)


def refuse_long(size: int, most: int) -> None:
    """TooLongError where so many bytes are more than an account has."""
    if size > most:
        raise TooLongError(
            f"Conductrics answered with more than the {most // 2**20} MB that its goals or agents may take: ask it "
            "what changed."
        )


def _judge(answer: Response, body: object) -> None:
    """Refuses a body whose own status is none of success, or that speaks of an error. Without one, HTTP's counts."""
    status = body.get("status", answer.status) if isinstance(body, dict) else answer.status
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status[:9])
    if not isinstance(status, int) or isinstance(status, bool):
        raise InvalidResponseError("Conductrics answered with a status that is no number.")
    worst = answer.status if answer.status >= 400 else status
    if not 200 <= worst < 300 or says_error(body):
        raise _refused(worst, answer)


def _refused(status: int, answer: Response) -> Exception:
    """What an answer of that status, HTTP's or the body's, is to the caller."""
    if status == 404:
        return Gone()
    words = said(answer)
    why = words.why(status)
    if status in (401, 403):
        return CredentialsError(f"Conductrics refused the API key ({why}). {CREDENTIALS_HINT}", status=status)
    if status == 429 or status >= 500:
        return UnavailableError(f"Conductrics cannot answer now ({why}): try again later.", status=status)
    if status == 400:
        message = f"Conductrics refused what was asked ({why}): check conductrics_account."
        return RequestRejectedError(message, status=status, fields=words.fields, said=words.text)
    return InvalidResponseError(
        f"Conductrics answered with an error instead of data ({why}): try again later."
    )
