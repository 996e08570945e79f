# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Keitaro: a conversion of one click, by the tracker's postback or by its Admin API.

By postback, the tracker's own way (`keitaro_transport = "postback"`):

    GET /{postback_key}/postback?subid=…&status=…&payout=…&currency=…&tid=…&cost=…&sub_id_1=…

By the Admin API, as the n8n node of the document does it (`"admin_api"`): a POST of "conversion data in JSON format",
which "must include click_id". Its "simplified" form is the same object with the members click_id, status, revenue,
currency, transaction_id and comment: that is what a row with only these becomes; cost and sub_id_N join it where a
row has them. The address of it is published nowhere, hence `keitaro_conversions_path`.

A conversion is known by (subid, tid). The same pair again updates it in place, so a row with a tid may be sent twice,
and sent anew with another status or amount; another subid or tid is another conversion. Without a tid neither is safe.
The tracker deletes nothing: a reversal is the same pair with `status` "rejected", or "sale" with the payout that is
left. What a posting leaves out keeps the value that it had.

The vendor's pages disagree on a repeat with the same status: one says that it may change a conversion "many times",
one that such a postback is ignored. Where an answer says so, the row is taken for sent, and its reason says it;
`conversync reconcile keitaro` shows what the tracker then has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from conversync.errors import RequestRejectedError, SettingsError
from conversync.http.client import Client, Limits, Response
from conversync.http.origin import parse_origin
from conversync.http.redact import MASK
from conversync.http.rejection import document, is_page
from conversync.http.strictjson import dumps
from conversync.send import target_settings
from conversync.send.response_words import ResponseReader
from conversync.send.target import Column, Outcome, Request, Row, RowRefusedError, Target
from conversync.send.values import amount, currency, identifier, need_identifier, number, plain, text

POSTBACK, ADMIN_API = "postback", "admin_api"
CONVERSIONS = "/admin_api/v1/conversions"
STATUSES = ("lead", "sale", "rejected", "rebill", "registration", "deposit", "trash")
# Of these a conversion does not count.
REJECTS = ("rejected", "trash")
SUB_IDS = tuple(f"sub_id_{number}" for number in range(1, 16))
# What a created conversion's id is called, newer trackers first.
IDS = ("event_id", "conversion_id", "id")
# In the tracker's own words, of a postback without effect; and how much of an answer is looked at for them.
_EXISTS = re.compile(r"already exists", re.IGNORECASE)
_UNKNOWN = re.compile(r"sub_?id\W+not found|click not found", re.IGNORECASE)
_MOST_SAID = 2_000
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
        target_settings.check_budget(self.http_budget)
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
            return target_settings.key("keitaro_postback_key", self.keitaro_postback_key)
        return target_settings.key("keitaro_api_key", self.keitaro_api_key)


def postback(row: Row) -> tuple[tuple[str, str], ...]:
    """The query, in the documented order. What is null is left out: without `status` it is a sale."""
    payout, cost = amount(row, "payout"), amount(row, "cost")
    given = {
        "subid": need_identifier(row, "subid"),
        "status": _status(row),
        "payout": None if payout is None else plain(payout),
        "currency": currency(row, "currency"),
        "tid": identifier(row, "tid"),
        "cost": None if cost is None else plain(cost),
        **{name: text(row, name) for name in SUB_IDS},
    }
    return tuple((name, value) for name, value in given.items() if value is not None)


def conversion(row: Row) -> dict[str, str | Decimal]:
    """The JSON object: click_id and what else the row has, amounts as exact numbers."""
    given = {
        "click_id": need_identifier(row, "subid"),
        "status": _status(row),
        "revenue": number(row, "payout"),
        "currency": currency(row, "currency"),
        "transaction_id": identifier(row, "tid"),
        "comment": text(row, "comment"),
        "cost": number(row, "cost"),
        **{name: text(row, name) for name in SUB_IDS},
    }
    return {name: value for name, value in given.items() if value is not None}


def _status(row: Row) -> str | None:
    status = text(row, "status")
    if status is not None and status not in STATUSES:
        raise RowRefusedError(f"status is none of {', '.join(STATUSES)}.")
    if status == "rebill" and identifier(row, "tid") is None:
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
    keeps: Sequence[str] = ("payout", "currency", "cost", *SUB_IDS)
    amounts: Sequence[str] = ("payout", "cost")
    personal: Sequence[str] = ("comment",)
    retractable: bool = True

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

    def request(self, row: Row, settings: KeitaroSendSettings, previous_response: Row) -> Request:
        """GET the postback, or POST the conversion."""
        secrets, identity = (settings.key(),), self.identity(row)
        if settings.keitaro_transport == ADMIN_API:
            path = settings.keitaro_conversions_path
            return Request("POST", path, json=conversion(row), secrets=secrets, identity=identity)
        path = f"/{quote(settings.key(), safe='')}/postback"
        label = f"/{MASK}/postback"
        return Request("GET", path, params=postback(row), label=label, secrets=secrets, identity=identity)

    def identity(self, row: Row) -> str | None:
        """`["subid","tid"]`: another one of either is another conversion. Without a tid a click has one."""
        return dumps([need_identifier(row, "subid"), identifier(row, "tid")]).decode()

    def withdraws(self, row: Row) -> bool:
        """Rejected and trash."""
        return row.get("status") in REJECTS

    def withdrawal(self, row: Row) -> Row | None:
        """The same as `rejected`, with the amount that it had; not without a tid, which could mean any conversion."""
        return {**row, "status": "rejected"} if self.is_idempotent(row, None) else None  # type: ignore[arg-type]

    def outcome(
        self, answer: Response, row: Row, settings: KeitaroSendSettings, previous_response: Row
    ) -> Outcome:
        """A refusal is `{"error": …}` or `{"field": ["message"]}`; the Admin API tells what it created."""
        ear = ResponseReader("Keitaro", HINTS[settings.keitaro_transport], (settings.key(),))
        if answer.status == 402:
            raise RequestRejectedError(
                "Keitaro refused to take conversions (402): this edition of the tracker has no API; send by "
                "postback, or get a licence that includes the Admin API.",
                status=402,
            )
        return ear.already(answer) or _ignored(answer, ear) or ear.rejection(answer) or _taken(answer)

    def is_idempotent(self, row: Row, settings: KeitaroSendSettings) -> bool:
        """The same subid and tid is the same conversion."""
        return row.get("tid") is not None and bool(str(row["tid"]).strip())

    def is_updatable(self, row: Row, settings: KeitaroSendSettings) -> bool:
        """With a tid, status and amount are those of the last posting."""
        return self.is_idempotent(row, settings)

    def group(self, row: Row) -> str | None:
        """What becomes of a click is told in its order."""
        return None if row.get("subid") is None else str(row["subid"])

    def warnings(self, row: Row, known: Mapping[str, Sequence[Row]]) -> Sequence[str]:
        """A row without a tid can be sent once only."""
        if self.is_idempotent(row, None):  # type: ignore[arg-type] # it does not depend on the settings
            return ()
        return ("tid is missing: the conversion can be neither sent again nor changed",)


def _ignored(answer: Response, ear: ResponseReader) -> Outcome | None:
    """Where a 2xx says that the posting changed nothing: the tracker has the conversion, or knows no such click."""
    said = "" if is_page(answer) else answer.body[:_MOST_SAID].decode("utf-8", "replace")
    if answer.status >= 300:
        return None
    if _EXISTS.search(said):
        return Outcome("sent", ear.reason("the tracker had it already and changed nothing", said))
    return Outcome("rejected", ear.reason("refused (200)", said)) if _UNKNOWN.search(said) else None


def _taken(answer: Response) -> Outcome:
    return Outcome("sent", answer=_created(answer))


def _created(answer: Response) -> dict[str, str]:
    """The id of the conversion, where the tracker tells one."""
    body = document(answer)
    body = body.get("data", body) if isinstance(body, dict) else None
    ids = [body[name] for name in IDS if body.get(name)] if isinstance(body, dict) else []
    return {"conversion_id": str(ids[0])} if ids and isinstance(ids[0], str | int) else {}
