"""What a vendor's answer says: whether it took the row, and if not, why, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversync.errors import CredentialsError, UnavailableError
from conversync.http.client import Response
from conversync.http.redact import quoted
from conversync.http.rejection import body_status, document, is_page, said, says_error
from conversync.send.target import Outcome

# Of a reason, in characters.
MOST_CHARACTERS = 160
_LATER = (408, 425, 429)


@dataclass(frozen=True)
class ResponseReader:
    """Listens to one vendor. `hint` says where the credentials stand; `secrets` are kept out of every reason."""

    vendor: str
    hint: str
    secrets: Sequence[str] = ()

    def rejection(self, answer: Response) -> Outcome | None:
        """The outcome where the answer turns the row down: a 4xx, or a 2xx whose JSON plainly says error.

        None where it takes the row. InvalidResponseError for a web page with 2xx or 404; other 4xx pages
        (a firewall's) are refusals without words. CredentialsError and UnavailableError for a body that says so.
        """
        page = is_page(answer)
        if page and (answer.status < 300 or answer.status == 404):
            answer.refuse_html()
        body = None if page else document(answer)
        status = answer.status if answer.status >= 400 else body_status(body, answer.status)
        if status < 400 and not says_error(body):
            return None
        return self._refused(status, said(answer).text)

    def _refused(self, status: int, words: str | None) -> Outcome:
        """The outcome of a row that was turned down; the error where that is not the row's matter."""
        reason = self.reason(f"refused ({status})", words)
        if status in (401, 403):
            raise CredentialsError(f"{self.vendor} {reason}. {self.hint}", status=status)
        if status in _LATER or status >= 500:
            raise UnavailableError(f"{self.vendor} {reason}: try again later.", status=status)
        return Outcome("rejected", reason)

    def already(self, answer: Response) -> Outcome | None:
        """The outcome of a 409, from a vendor where that can only mean that it has the row; None for any other."""
        return Outcome("sent", "the vendor had it already (409)") if answer.status == 409 else None

    def reason(self, what: str, said: str | None) -> str:
        """`what`, and the vendor's own words: one line of printable characters without secrets, cut to measure."""
        line = quoted(said, MOST_CHARACTERS, *self.secrets) if said else ""
        whole = f"{what}: {line}" if line else what
        return whole if len(whole) <= MOST_CHARACTERS else whole[: MOST_CHARACTERS - 1].rstrip() + "…"
