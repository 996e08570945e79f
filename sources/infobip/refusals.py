"""The vendor's error bodies: `{"requestError": …}`, with its own status or with 200."""

from __future__ import annotations

from conversync.errors import CredentialsError, InvalidResponseError, RequestRejectedError
from conversync.http.client import Response
from conversync.http.rejection import said

CREDENTIALS_HINT = (
    "Check infobip_username and infobip_password in .dlt/secrets.toml, "
    "or INFOBIP_USERNAME and INFOBIP_PASSWORD."
)


def refuse_refusal(answer: Response) -> None:
    """Raises what a 404, or an error body with 200, is to the caller; returns for an answer with data."""
    if answer.status < 400 and b'"requestError"' not in answer.body:
        return
    answer.refuse_html()
    words = said(answer)
    if answer.status >= 400:
        message = f"Infobip does not know what was asked for ({words.why(answer.status)})."
        raise RequestRejectedError(message, status=answer.status, fields=words.fields, said=words.text)
    if "unauthorized" in words.text.replace("_", "").casefold():
        why = words.why(answer.status)
        raise CredentialsError(
            f"Infobip refused the username and password ({why}). {CREDENTIALS_HINT}", status=answer.status
        )
    raise InvalidResponseError(
        f"Infobip answered with an error instead of data ({words.why(answer.status)}): try again later."
    )


def of_pair(refusal: RequestRejectedError, pair: str) -> RequestRejectedError:
    """The refusal as a sentence about the process and tags that were asked for."""
    what = "does not know the process or tags" if refusal.status == 404 else "refused what was asked of"
    message = f"Infobip {what} {pair} ({refusal.why}): check infobip_pairs."
    return RequestRejectedError(message, status=refusal.status, fields=refusal.fields, said=refusal.said)
