"""What can come of a request besides an answer, and the sentence for each."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    RequestRejectedError,
    TooLongError,
    UnavailableError,
    VendorError,
)
from conversync.http.limits import Limits
from conversync.http.proxy import VARIABLE
from conversync.http.rejection import Said
from conversync.http.response import web_page
from conversync.http.wait_budget import Patience

# Besides 429 and 5xx: a vendor that had no time for the request says so with one of these.
LATER = (408, 425)


class FailureKind(enum.Enum):
    """What may be done about a trouble."""

    FATAL = "asking again cannot help"
    CONNECT = "no connection: the refused budget"
    STALE = "the vendor had closed a kept connection: ask again at once, once"
    RETRYABLE = "429, 5xx, a reset or a timeout: the http budget"
    INVALID_RESPONSE = "an answer that cannot be trusted: the distrust budget"


@dataclass(frozen=True)
class Failure:
    """Why a request has no answer yet; `error` is what is raised if it stays so."""

    kind: FailureKind
    error: VendorError

    @property
    def is_answer(self) -> bool:
        """Whether the vendor answered what was asked, and that is final."""
        return self.kind is FailureKind.FATAL and self.error.status is not None


@dataclass(frozen=True)
class ErrorMessages:
    """Says what happened, in the vendor's name. `what` is a method and a path, without query."""

    vendor: str
    hint: str
    limits: Limits
    credential: str = "token"

    @property
    def setting(self) -> str:
        """The name of the setting that holds the vendor's address."""
        return f"{self.vendor.lower()}_url"

    def no_connection(self, reason: str) -> Failure:
        """Nothing was sent: refused, unknown name, or no answer to the connection."""
        message = f"{self.vendor} cannot be reached ({reason}): check {self.setting} and the network."
        return Failure(FailureKind.CONNECT, UnavailableError(message, sent=False))

    def no_way(self, proxy: str, reason: str, *, final: bool) -> Failure:
        """Nothing was sent: the proxy in the settings opens no way."""
        message = (
            f"{self.vendor} cannot be reached through the proxy at {proxy} ({reason}): check {VARIABLE}, "
            "or proxy in .dlt/."
        )
        kind = FailureKind.FATAL if final else FailureKind.CONNECT
        return Failure(kind, UnavailableError(message, sent=False))

    def no_trust(self, reason: str) -> Failure:
        """Nothing was sent: the TLS handshake failed for good. `reason` is OpenSSL's phrase."""
        message = (
            f"{self.vendor} did not prove who it is ({reason}): check {self.setting}, "
            "and behind a company's own proxy name its certificates with SSL_CERT_FILE."
        )
        return Failure(FailureKind.FATAL, UnavailableError(message, sent=False))

    def timed_out(self, what: str, patience: Patience) -> Failure:
        """The request went out, and the answer did not come whole in time."""
        message = (
            f"{self.vendor} did not answer {what} in time ({patience.read:.3g} s without a byte, "
            f"or {patience.whole:.3g} s in all): try again later."
        )
        return Failure(FailureKind.RETRYABLE, UnavailableError(message))

    def broke_off(self, what: str) -> Failure:
        """The request went out, and the connection broke before the answer was whole."""
        return Failure(
            FailureKind.RETRYABLE,
            UnavailableError(f"{self.vendor} broke off its answer to {what}: try again later."),
        )

    def stale(self, what: str) -> Failure:
        """The request went out on a kept connection that the vendor was closing."""
        return Failure(FailureKind.STALE, self.broke_off(what).error)

    def stopped(self, *, sent: bool) -> UnavailableError:
        """The client was closed while a request was on its way."""
        return UnavailableError(f"The run was stopped before {self.vendor} answered.", sent=sent)

    def too_large(self, what: str, most: str) -> Failure:
        """The decoded body went past a cap: more than `most`."""
        message = f"{self.vendor} answered {what} with more than {most}: ask for smaller pages."
        return Failure(FailureKind.FATAL, TooLongError(message))

    def mangled(self, what: str, reason: str, status: int | None = None) -> Failure:
        """The answer is not sound HTTP, or not in the encoding that it claims."""
        message = f"{self.vendor}'s answer to {what} cannot be read ({reason}): try again later."
        return Failure(FailureKind.INVALID_RESPONSE, InvalidResponseError(message, status=status))

    def redirected(self, what: str, status: int, place: str | None) -> Failure:
        """3xx: never followed. `place` is what may be shown of where it leads."""
        where = f"to {place} " if place else ""
        message = (
            f"{self.vendor} redirects {what} {where}({status}), and redirects are not followed: "
            f"check {self.setting}."
        )
        return Failure(FailureKind.FATAL, InvalidResponseError(message, status=status))

    def told(self, what: str, status: int | None, said: Said) -> Failure:
        """A success by HTTP whose body speaks of an error, and perhaps names the status that HTTP should have had."""
        if status is not None:
            return self.turned_away(what, status, said, None)
        why = f" ({said.text})" if said.text else ""
        message = f"{self.vendor} answered {what} with an error instead of data{why}: try again later."
        return Failure(FailureKind.INVALID_RESPONSE, InvalidResponseError(message))

    def sent_to_login(self, what: str, status: int, host: str) -> Failure:
        """3xx to a page where people log in: we were not recognised."""
        message = (
            f"{self.vendor} sends {what} to a login page at {host} ({status}): the {self.credential} was not "
            f"taken. {self.hint}"
        )
        return Failure(FailureKind.FATAL, CredentialsError(message, status=status))

    def page(self, what: str, status: int, guard: str) -> Failure:
        """403 or 404 as a web page: not the vendor's program spoke, so it is neither about credentials nor a row."""
        if status == 404:
            return Failure(FailureKind.FATAL, InvalidResponseError(web_page(self.vendor), status=status))
        message = (
            f"{what} was blocked on the way to {self.vendor} ({status}, a web page of {guard}), whatever the "
            f"{self.credential}: ask {self.vendor} to let this machine's address in, or check {self.setting}."
        )
        return Failure(FailureKind.FATAL, InvalidResponseError(message, status=status))

    def turned_away(self, what: str, status: int, said: Said, retry_after: float | None) -> Failure:
        """Any other status that is not a success, with what the vendor says to it."""
        why = said.why(status)
        if status in (401, 403):
            message = f"{self.vendor} refused the {self.credential} ({why}). {self.hint}"
            return Failure(FailureKind.FATAL, CredentialsError(message, status=status, said=said.text))
        if status == 429:
            message = f"{self.vendor} is limiting our rate ({why}): try again later, or ask for less at once."
            return Failure(
                FailureKind.RETRYABLE, UnavailableError(message, status=status, retry_after=retry_after)
            )
        if status in LATER or status >= 500:
            message = f"{self.vendor} failed at {what} ({why}): try again later."
            return Failure(
                FailureKind.RETRYABLE, UnavailableError(message, status=status, retry_after=retry_after)
            )
        if status == 404:
            message = f"{self.vendor} does not know {what} ({why}): check {self.setting}."
            return Failure(FailureKind.FATAL, InvalidResponseError(message, status=status, said=said.text))
        message = (
            f"{self.vendor} refused {what} ({why}): what was asked does not suit it; check its settings."
        )
        refusal = RequestRejectedError(message, status=status, fields=said.fields, said=said.text)
        return Failure(FailureKind.FATAL, refusal)
