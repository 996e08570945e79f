# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Keitaro: a conversion of one click, by the tracker's postback or by its Admin API.

By postback, the tracker's own way (`keitaro_transport = "postback"`):

    GET /{postback_key}/postback?subid=…&status=…&payout=…&currency=…&tid=…&cost=…&sub_id_1=…

By the Admin API, as the n8n node of the document does it (`"admin_api"`): a POST of "conversion data in JSON format",
which "must include click_id". Its "simplified" form is the same object with the members click_id, status, revenue,
currency, transaction_id and comment: that is what a row with only these becomes; cost and sub_id_N join it where a
row has them. The address of it is published nowhere, hence `keitaro_conversions_path`.

The same subid and tid again updates the conversion in place, so a row with a tid may be sent twice, and sent anew
with another status or amount. Without a tid neither is safe. The tracker deletes nothing: a reversal is the same tid
with `status` "rejected", or "sale" with the payout that is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from destinations import access
from destinations.target import Column, Outcome, Request, Row, RowRefusedError, Target
from destinations.values import amount, need, number, plain, text
from destinations.words import Ear
from wire.client import Answer, Client, Limits
from wire.errors import RefusedError, SettingsError
from wire.origin import parse_origin
from wire.redact import MASK
from wire.refusal import document

POSTBACK, ADMIN_API = "postback", "admin_api"
CONVERSIONS = "/admin_api/v1/conversions"
STATUSES = ("lead", "sale", "rejected", "rebill", "registration", "deposit", "trash")
SUB_IDS = tuple(f"sub_id_{number}" for number in range(1, 16))
# What a created conversion's id is called, newer trackers first.
IDS = ("event_id", "conversion_id", "id")
HINTS = {
    POSTBACK: "Check keitaro_postback_key in .dlt/secrets.toml or KEITARO_POSTBACK_KEY.",
    ADMIN_API: "Check keitaro_api_key in .dlt/secrets.toml or KEITARO_API_KEY.",
}


@configspec
class KeitaroSendSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. A transport needs its own key, and not the other's."""

    keitaro_url: str = None  # type: ignore[assignment] # dlt's way to say that it is required
    keitaro_transport: str = POSTBACK
    keitaro_postback_key: TSecretStrValue | None = None
    keitaro_api_key: TSecretStrValue | None = None
    keitaro_conversions_path: str = CONVERSIONS
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        if self.keitaro_transport not in HINTS:
            raise SettingsError(
                f'keitaro_transport is "{self.keitaro_transport}", but must be {POSTBACK} or {ADMIN_API}.'
            )
        access.check_budget(self.http_budget)
        parse_origin(self.keitaro_url, "keitaro_url")
        self.key()
        path = self.keitaro_conversions_path
        if (
            not path.startswith("/")
            or parse_origin(f"https://a.b{path}", "keitaro_conversions_path").prefix != path
        ):
            raise SettingsError(
                f'keitaro_conversions_path must begin, and not end, with "/", as {CONVERSIONS} does.'
            )

    def key(self) -> str:
        """The key of the transport."""
        if self.keitaro_transport == POSTBACK:
            return access.key("keitaro_postback_key", self.keitaro_postback_key)
        return access.key("keitaro_api_key", self.keitaro_api_key)


def postback(row: Row) -> tuple[tuple[str, str], ...]:
    """The query, in the documented order. What is null is left out: without `status` it is a sale."""
    payout, cost = amount(row, "payout"), amount(row, "cost")
    given = {
        "subid": need(row, "subid"),
        "status": _status(row),
        "payout": None if payout is None else plain(payout),
        "currency": text(row, "currency"),
        "tid": text(row, "tid"),
        "cost": None if cost is None else plain(cost),
        **{name: text(row, name) for name in SUB_IDS},
    }
    return tuple((name, value) for name, value in given.items() if value is not None)


def conversion(row: Row) -> dict[str, str | Decimal]:
    """The JSON object: click_id and what else the row has, amounts as exact numbers."""
    given = {
        "click_id": need(row, "subid"),
        "status": _status(row),
        "revenue": number(row, "payout"),
        "currency": text(row, "currency"),
        "transaction_id": text(row, "tid"),
        "comment": text(row, "comment"),
        "cost": number(row, "cost"),
        **{name: text(row, name) for name in SUB_IDS},
    }
    return {name: value for name, value in given.items() if value is not None}


def _status(row: Row) -> str | None:
    status = text(row, "status")
    if status is not None and status not in STATUSES:
        raise RowRefusedError(f"status is none of {', '.join(STATUSES)}.")
    if status == "rebill" and text(row, "tid") is None:
        raise RowRefusedError("tid is missing: a rebill needs one of its own.")
    return status


class Conversions(Target):
    """`keitaro.conversions`"""

    name = "keitaro.conversions"
    settings: type[Any] = KeitaroSendSettings
    columns: Sequence[Column] = (
        Column("subid", "the click's id", required=True),
        Column("status", f"{', '.join(STATUSES)}; without one it is a sale"),
        Column("payout", "the amount, exact; without one the tracker keeps what it has"),
        Column("currency", "of payout and cost"),
        Column("tid", "the transaction: with it, a repeat updates in place"),
        Column("cost", "of the click, exact"),
        *(Column(name, "as the tracker's campaign has it") for name in SUB_IDS),
        Column("comment", "by the Admin API only"),
    )

    def client(self, settings: KeitaroSendSettings) -> Client:
        """The API key stands in a header; the postback key can only stand in the path, and is masked there."""
        by_api = settings.keitaro_transport == ADMIN_API
        return Client(
            settings.keitaro_url,
            vendor="Keitaro",
            headers={"Api-Key": settings.key()} if by_api else {},
            credentials_hint=HINTS[settings.keitaro_transport],
            credential="API key" if by_api else "postback key",
            limits=Limits(http_budget=settings.http_budget),
        )

    def request(self, row: Row, settings: KeitaroSendSettings, earlier: Mapping[str, Any]) -> Request:
        """GET the postback, or POST the conversion."""
        secrets = (settings.key(),)
        if settings.keitaro_transport == ADMIN_API:
            return Request("POST", settings.keitaro_conversions_path, json=conversion(row), secrets=secrets)
        path = f"/{quote(settings.key(), safe='')}/postback"
        return Request("GET", path, params=postback(row), label=f"/{MASK}/postback", secrets=secrets)

    def outcome(
        self, answer: Answer, row: Row, settings: KeitaroSendSettings, earlier: Mapping[str, Any]
    ) -> Outcome:
        """A refusal is `{"error": …}` or `{"field": ["message"]}`; the Admin API tells what it created."""
        ear = Ear("Keitaro", HINTS[settings.keitaro_transport], (settings.key(),))
        if answer.status == 402:
            raise RefusedError(
                "Keitaro refused to take conversions (402): this edition of the tracker has no API; send by "
                "postback, or get a licence that includes the Admin API.",
                status=402,
            )
        return ear.already(answer) or ear.rejection(answer) or Outcome("sent", answer=_created(answer))

    def repeatable(self, row: Row, settings: KeitaroSendSettings) -> bool:
        """The same subid and tid is the same conversion."""
        return row.get("tid") is not None and bool(str(row["tid"]).strip())

    def replaceable(self, row: Row, settings: KeitaroSendSettings) -> bool:
        """With a tid, status and amount are those of the last posting."""
        return self.repeatable(row, settings)

    def group(self, row: Row) -> str | None:
        """What becomes of a click is told in its order."""
        return None if row.get("subid") is None else str(row["subid"])

    def warnings(self, row: Row, known: Mapping[str, Sequence[Mapping[str, Any]]]) -> Sequence[str]:
        """A row without a tid can be sent once only."""
        if self.repeatable(row, None):  # type: ignore[arg-type] # it does not depend on the settings
            return ()
        return ("tid is missing: the conversion can be neither sent again nor changed",)


def _created(answer: Answer) -> dict[str, str]:
    """The id of the conversion, where the tracker tells one."""
    body = document(answer)
    body = body.get("data", body) if isinstance(body, dict) else None
    ids = [body[name] for name in IDS if body.get(name)] if isinstance(body, dict) else []
    return {"conversion_id": str(ids[0])} if ids and isinstance(ids[0], str | int) else {}
