"""What can come of a request besides an answer, and the sentence for each."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from wire.errors import CredentialsError, UnavailableError, UntrustedAnswerError, VendorError
from wire.limits import Limits


class Kind(enum.Enum):
    """What may be done about a trouble."""

    FINAL = "asking again cannot help"
    UNREACHABLE = "no connection: the refused budget"
    STALE = "the vendor had closed a kept connection: ask again at once, once"
    HELD_UP = "429, 5xx, a reset or a timeout: the http budget"
    DISTRUST = "an answer that cannot be trusted: the distrust budget"


@dataclass(frozen=True)
class Trouble:
    """Why a request has no answer yet; `error` is what is raised if it stays so."""

    kind: Kind
    error: VendorError


@dataclass(frozen=True)
class Voice:
    """Says what happened, in the vendor's name. `what` is a method and a path, without query."""

    vendor: str
    hint: str
    limits: Limits
    credential: str = "token"

    @property
    def setting(self) -> str:
        """The name of the setting that holds the vendor's address."""
        return f"{self.vendor.lower()}_url"

    def no_connection(self, reason: str) -> Trouble:
        """Nothing was sent: refused, unknown name, or no answer to the connection."""
        message = f"{self.vendor} cannot be reached ({reason}): check {self.setting} and the network."
        return Trouble(Kind.UNREACHABLE, UnavailableError(message, sent=False))

    def no_trust(self, reason: str) -> Trouble:
        """Nothing was sent: the TLS handshake failed for good. `reason` is OpenSSL's phrase."""
        message = (
            f"{self.vendor} did not prove who it is ({reason}): check {self.setting}, "
            "and behind a company's own proxy name its certificates with SSL_CERT_FILE."
        )
        return Trouble(Kind.FINAL, UnavailableError(message, sent=False))

    def timed_out(self, what: str) -> Trouble:
        """The request went out, and the answer did not come whole in time."""
        message = (
            f"{self.vendor} did not answer {what} in time ({self.limits.read_timeout:g} s without a byte, "
            f"or {self.limits.request_deadline:g} s in all): try again later."
        )
        return Trouble(Kind.HELD_UP, UnavailableError(message))

    def broke_off(self, what: str) -> Trouble:
        """The request went out, and the connection broke before the answer was whole."""
        return Trouble(
            Kind.HELD_UP, UnavailableError(f"{self.vendor} broke off its answer to {what}: try again later.")
        )

    def stale(self, what: str) -> Trouble:
        """The request went out on a kept connection that the vendor was closing."""
        return Trouble(Kind.STALE, self.broke_off(what).error)

    def stopped(self, *, sent: bool) -> UnavailableError:
        """The client was closed while a request was on its way."""
        return UnavailableError(f"The run was stopped before {self.vendor} answered.", sent=sent)

    def too_large(self, what: str) -> Trouble:
        """The decoded body went past its cap."""
        size = self.limits.body_bytes / (1024 * 1024)
        message = f"{self.vendor} answered {what} with more than {size:g} MB: ask for smaller pages."
        return Trouble(Kind.FINAL, UntrustedAnswerError(message))

    def mangled(self, what: str, reason: str, status: int | None = None) -> Trouble:
        """The answer is not sound HTTP, or not in the encoding that it claims."""
        message = f"{self.vendor}'s answer to {what} cannot be read ({reason}): try again later."
        return Trouble(Kind.DISTRUST, UntrustedAnswerError(message, status=status))

    def redirected(self, what: str, status: int, host: str | None) -> Trouble:
        """3xx: never followed. Only the host is named: a redirect may carry a secret."""
        where = f"to {host} " if host else ""
        message = (
            f"{self.vendor} redirects {what} {where}({status}), and redirects are not followed: "
            f"check {self.setting}."
        )
        return Trouble(Kind.FINAL, UntrustedAnswerError(message, status=status))

    def turned_away(self, what: str, status: int, retry_after: float | None) -> Trouble:
        """Any other status that is not a success."""
        if status in (401, 403):
            message = f"{self.vendor} refused the {self.credential} ({status}). {self.hint}"
            return Trouble(Kind.FINAL, CredentialsError(message, status=status))
        if status == 429:
            message = f"{self.vendor} is limiting our rate (429): try again later, or ask for less at once."
            return Trouble(Kind.HELD_UP, UnavailableError(message, status=status, retry_after=retry_after))
        if status == 408 or status >= 500:
            message = f"{self.vendor} failed at {what} ({status}): try again later."
            return Trouble(Kind.HELD_UP, UnavailableError(message, status=status, retry_after=retry_after))
        return Trouble(Kind.FINAL, UntrustedAnswerError(self._refusal(what, status), status=status))

    def told(self, what: str, status: int | None) -> Trouble:
        """A success by HTTP whose body speaks of an error, and perhaps names the status that HTTP should have had."""
        if status is not None:
            return self.turned_away(what, status, None)
        message = f"{self.vendor} answered {what} with an error instead of data: try again later."
        return Trouble(Kind.DISTRUST, UntrustedAnswerError(message))

    def _refusal(self, what: str, status: int) -> str:
        if status == 404:
            return f"{self.vendor} does not know {what} (404): check {self.setting}."
        return (
            f"{self.vendor} refused {what} ({status}): what was asked does not suit it; check its settings."
        )
