"""An answer as a decoder gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conversync.errors import InvalidResponseError
from conversync.http import strictjson
from conversync.types import Document


def web_page(vendor: str) -> str:
    """The sentence for a page where data should be."""
    return (
        f"{vendor} answered with a web page instead of data: the address may be wrong ({vendor.lower()}_url), "
        "or a login or bot check stands before it."
    )


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, body decoded. What its body holds is not in its repr."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    vendor: str = "The vendor"

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"

    def refuse_html(self) -> None:
        """InvalidResponseError if this is a web page: a login, a bot check, or the wrong address."""
        start = self.body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        claims = "html" in self.headers.get("Content-Type", "").lower()
        if start == b"<" or (claims and start not in (b"{", b"[", b"")):
            raise InvalidResponseError(web_page(self.vendor), status=self.status)

    def json(self, *, as_served: bool = False) -> Any:
        """The body as strict JSON (see `strictjson.loads`); InvalidResponseError if it is not."""
        self.refuse_html()
        return strictjson.loads(self.body, who=self.vendor, as_served=as_served)

    def rows(self, key: str | None) -> tuple[Document, list[strictjson.Row]]:
        """The envelope, and the rows under `key`, each with its fault (see `strictjson.load_rows`)."""
        self.refuse_html()
        return strictjson.load_rows(self.body, key, who=self.vendor)

    def each_row(self, key: str | None, take: Callable[[strictjson.Row], None]) -> Document:
        """The envelope; `take` is given each row (see `strictjson.each_row`)."""
        self.refuse_html()
        return strictjson.each_row(self.body, key, take, who=self.vendor)

    def row(self) -> strictjson.Row:
        """The whole document as one row, with its fault; InvalidResponseError where it is no JSON at all."""
        self.refuse_html()
        alone = b"[" + self.body.removeprefix(b"\xef\xbb\xbf") + b"]"
        rows = strictjson.load_rows(alone, None, who=self.vendor)[1]
        if len(rows) != 1:
            raise InvalidResponseError(
                f"{self.vendor} sent an answer that cannot be used: it is not one document."
            )
        return rows[0]
