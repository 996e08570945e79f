"""A vendor that is none of ours, as its maker would write it: one file, found by its entry point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from conversync.errors import InvalidResponseError, SettingsError
from conversync.extract.field_kinds import AMOUNT, STAMP, TEXT
from conversync.extract.page_decoder import PageDecoder
from conversync.extract.pagination import Page, count
from conversync.extract.ranges import LookbackDays
from conversync.extract.windows import Window
from conversync.feed import FeedSettings, Stream, feed_vendor
from conversync.http.client import Client, Limits, Response
from conversync.send.arrivals import Arrivals, Arrived, compare
from conversync.send.comparison import Ask, Comparison, Reconciliation
from conversync.send.records import Record
from conversync.send.response_words import ResponseReader
from conversync.send.target import Column, Outcome, Request, Row, Target
from conversync.send.values import need_identifier, number
from conversync.table import Column as Field
from conversync.table import Events

HINT = "Check acme_key in .dlt/secrets.toml or ACME_KEY."


@configspec
class AcmeSettings(FeedSettings):
    """The settings, in the environment or in `.dlt/`."""

    acme_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    acme_url: str = "https://api.acme.example"
    acme_zone: str = "UTC"
    acme_lookback_days: LookbackDays = 7
    acme_start_date: str | None = None
    acme_page_size: int = 100
    acme_range_days: int = 31
    acme_concurrency: int = 4

    def headers(self) -> Mapping[str, str]:
        """The key, in its header."""
        return {"X-Api-Key": str(self.acme_key)}


def params(window: Window, number: int, size: int) -> Mapping[str, str]:
    """The question for one page."""
    return {"since": str(window.start), "until": str(window.end), "page": str(number), "size": str(size)}


def page(answer: Response, decoder: PageDecoder, _number: int) -> Page:
    """`{"rows": [...], "total": 12}`"""
    answer.refuse_html()
    decoded = decoder.decode(answer.body)
    total = count(decoded.envelope.get("total"))
    if total is None:
        raise InvalidResponseError(
            "Acme answered without its total, so how many rows there are is not known."
        )
    return Page(decoded, total, more=False)


EVENTS = Events(
    "conversion_events",
    (
        Field("click_id", TEXT, "Names the click, and so the conversion.", required=True, json="click"),
        Field("amount", AMOUNT, "What we are paid, in currency.", required=True),
        Field("currency", TEXT, "Of amount."),
        Field("status", TEXT, "`sale`, or `reversed` once it is taken back."),
        Field("at", STAMP, "When it happened, by the vendor's clock.", required=True),
    ),
    key="click_id",
    at="at",
    reversal="status = 'reversed'",
    sums=("amount",),
    currency="currency",
)

CONVERSIONS = """
    select click_id, occurred_on, occurred_at, currency, amount, status,
        case when status = 'reversed' then 0 else amount end as net_amount
    from conversion_events where valid_to is null
"""
REVERSED = """
    select click_id as conversion_id, occurred_on, occurred_at, valid_from as first_seen_at,
        cast(null as timestamptz) as reversed_at, valid_from as reversal_seen_at
    from conversion_events where valid_to is null and status = 'reversed'
"""


@configspec
class AcmeSendSettings(BaseConfiguration):
    """What sending needs."""

    acme_key: TSecretStrValue = None  # type: ignore[assignment] # as above
    acme_url: str = "https://api.acme.example"
    http_budget: int = 600


class Conversions(Target):
    """`acme.conversions`: a conversion of a click; the same click again replaces it."""

    name = "acme.conversions"
    settings: type[Any] = AcmeSendSettings
    columns: Sequence[Column] = (
        Column("click_id", "the click", required=True),
        Column("payout", "the amount, exact", required=True),
    )

    def client(self, settings: AcmeSendSettings) -> Client:
        """The key stands in a header."""
        return Client(
            settings.acme_url,
            vendor="Acme",
            headers={"X-Api-Key": str(settings.acme_key)},
            credentials_hint=HINT,
            limits=Limits(http_budget=settings.http_budget),
        )

    def request(self, row: Row, settings: AcmeSendSettings, previous_response: Mapping[str, Any]) -> Request:
        """`PUT /conversions` with the click and the amount."""
        del settings, previous_response
        body = {"click": need_identifier(row, "click_id"), "amount": number(row, "payout")}
        return Request("PUT", "/conversions", json=body, identity=self.identity(row))

    def outcome(
        self, answer: Response, row: Row, settings: AcmeSendSettings, previous_response: Mapping[str, Any]
    ) -> Outcome:
        """2xx is taken; what the vendor refuses is final for that row."""
        del row, previous_response
        reader = ResponseReader("Acme", HINT, (str(settings.acme_key),))
        return reader.rejection(answer) or Outcome("sent")

    def is_idempotent(self, row: Row, settings: AcmeSendSettings) -> bool:
        """The same click is the same conversion."""
        del row, settings
        return True

    def is_updatable(self, row: Row, settings: AcmeSendSettings) -> bool:
        """A later amount takes the place of the earlier."""
        del row, settings
        return True

    def identity(self, row: Row) -> str | None:
        """The click."""
        return need_identifier(row, "click_id")


def reconcile(ask: Ask, sent: Sequence[Record]) -> Comparison:
    """What was sent beside what the feed says of the same clicks."""
    rows = ask("select click_id, status, amount, currency from acme.conversions")
    if rows is None:
        raise SettingsError(
            "Acme's own conversions are not in the warehouse: run `conversync load acme` first."
        )
    there = {click: [Arrived(status, amount, currency)] for click, status, amount, currency in rows}
    arrivals = Arrivals("acme", "Acme", there, key=str, named=lambda click: f"click {click}")
    return compare(ask, sent, Conversions(), arrivals)


VENDOR = feed_vendor(
    "acme",
    "Acme",
    AcmeSettings,
    [Stream("conversions", EVENTS, "/conversions", params, page, rows="rows", beside=("total",))],
    views=lambda _settings: {"conversions": CONVERSIONS},
    reversed_rows=REVERSED,
    targets=(Conversions(),),
    reconcile=Reconciliation(Conversions.name, reconcile),
)
