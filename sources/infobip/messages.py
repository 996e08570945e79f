# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Infobip: a message to one or many addresses, which begins the tracking of each.

The document's "Send SMS messages that triggers a tracking process":

    POST /1/smsmessaging/outbound/{senderAddress}/requests
    {"senderAddress", "trackInfo": {"initTagInfo": {"processKey", "tag"}, "urlTrackInfo"}, "address", "message"}

The answer has one result for each address. Where some were taken and others not, the row is rejected, the answer
keeps who has the message, and a later request goes to the others only.

`clientCorrelator`, "an identifier that uniquely identifies the request", is in the document's *response* alone, and in
the requests of the vendor's own client. Each of ours has one, made of the row and what was tried before, so a request
whose answer was lost can be asked for:

    GET /1/smsmessaging/outbound/{senderAddress}/requests/{clientCorrelator}/deliveryInfos
    {"deliveryInfoList": {"deliveryInfo": [{"address", "deliveryStatus"}]}}

Whether the vendor folds a repeat of one is told nowhere, so a message is never repeated on our own account.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from conversync.errors import InvalidResponseError
from conversync.http.client import Response
from conversync.http.rejection import document
from conversync.http.strictjson import dumps
from conversync.send.target import Column, Outcome, Request, Row, RowRefusedError
from conversync.send.values import identifier, need, plain, text, texts, thing
from conversync.types import Document

from .tables import MESSAGE_RESULTS
from .targets import InfobipSendSettings, InfobipTarget, set_only

RESULTS = f"sent.{MESSAGE_RESULTS.name}"
# "Alphanumeric sender ID length should be between 3 and 11 characters ... Numeric ... between 3 and 14."
LETTERS, DIGITS = (3, 11), (3, 14)
MONEY = Decimal("0.000001")
# In a messageStatus, letters only: the message did not go. The document names no list of them.
FAILED = re.compile(
    r"not?sent|notdelivered|notaccepted|undeliver|reject|impossible|fail|invalid|error|notenough"
)
# How the fingerprint of a number begins that is kept no more.
FORGOTTEN = "forgotten:"
# What names a request that was made, where no address is told of.
_NAMES = ("clientCorrelator", "resourceReference", "urlProcessTrackingKey", "urlTrackingProcessKey")
# What people write between the digits of a number, and before them.
_ABROAD = ("00", "011")
# So many digits have whole numbers of small countries, and numbers without their country of large ones.
SHORT = 10
# A number without its separators; and the 0 that is dialled at home only: with or without it, who would it be?
_ADDRESS = re.compile(r"\+?[0-9]{1,18}", re.ASCII)
_TRUNK = re.compile(r"\(\s*0\s*\)")
_SHORT_ADDRESS = (
    f"an address has {SHORT} digits or fewer, and no + or 00 before them: it goes as it is, and reaches somebody else "
    "if its country is missing; written with + it is surely meant"
)
SPELLING = re.compile(r"[\s().\-/\u2010-\u2015\u00a0]")


class Messages(InfobipTarget):
    """`infobip.messages`"""

    name = "infobip.messages"
    columns: Sequence[Column] = (
        Column("sender_address", "3 to 11 letters and digits, or 3 to 14 digits", required=True),
        Column("address", "a number such as 41793026727, or a JSON list of them", required=True),
        Column("message", "the text"),
        Column("process_key", "of the process that begins"),
        Column("tag", "the name of its first tag"),
        Column(
            "url_track_info", "a JSON object, passed on as it is: the document does not say what it holds"
        ),
    )
    keys: Mapping[str, Sequence[str]] = MappingProxyType({RESULTS: MESSAGE_RESULTS.key})
    personal: Sequence[str] = ("address", "message", "url_track_info")
    personal_tables: Mapping[str, Sequence[str]] = MappingProxyType({RESULTS: ("address",)})

    def request(self, row: Row, settings: InfobipSendSettings, previous_response: Row) -> Request:
        """To all addresses; where an earlier request of this row reached some, to the others."""
        sender = _sender(row)
        listed, addresses = _addresses(row)
        left = _left(row, addresses, previous_response)
        if not left:
            raise RowRefusedError("every address has the message already.")
        track = {
            "initTagInfo": set_only({"processKey": identifier(row, "process_key"), "tag": text(row, "tag")})
            or None,
            "urlTrackInfo": thing(row, "url_track_info"),
        }
        body = {
            "senderAddress": sender,
            "trackInfo": set_only(track) or None,
            "address": left if listed else left[0],
            "message": text(row, "message"),
        }
        asked = set_only(body)
        correlator = _correlator(row, asked, previous_response)
        return Request(
            "POST", _requests(sender), json={**asked, "clientCorrelator": correlator}, identity=correlator
        )

    def warnings(self, row: Row, known: Mapping[str, Sequence[Row]]) -> Sequence[str]:
        """What the vendor would dial as it is, though its country may be missing."""
        try:
            short = any(_may_lack_its_country(one) for one in _addresses(row)[1])
        except RowRefusedError:
            return ()
        return [_SHORT_ADDRESS] if short else ()

    def lookup(self, reference: str, row: Row, settings: InfobipSendSettings) -> Request | None:
        """What the vendor knows of the delivery of the request with that correlator."""
        return Request("GET", f"{_requests(_sender(row))}/{quote(reference, safe='')}/deliveryInfos")

    def looked_up(
        self,
        answer: Response,
        reference: str,
        row: Row,
        settings: InfobipSendSettings,
        previous_response: Row,
    ) -> Outcome:
        """What became of the request at each address. A 404 may also mean that it was forgotten, so doubt stays."""
        ear = settings.ear()
        if answer.status == 404:
            answer.refuse_html()
            return Outcome(
                "in_doubt", "the vendor knows no such request (any more), so most likely it did not go"
            )
        if turned_down := ear.rejection(answer):
            raise InvalidResponseError(
                f"Infobip {turned_down.reason} when it was asked for a delivery.", status=answer.status
            )
        results = _deliveries(document(answer))
        found = _by_address({"sendMessageResults": results}, _asked(row, previous_response))
        if silent := [one for one in _asked(row, previous_response) if one not in found]:
            return Outcome(
                "in_doubt", f"the vendor tells of no delivery to {len(silent)} of its addresses (yet)"
            )
        return self.told(
            {"clientCorrelator": reference, "sendMessageResults": results}, row, previous_response
        )

    def forgotten(self, answer: Row, send_key: str, *, may_go_again: bool) -> Row:
        """No number stands in it. A row that may go again keeps fingerprints: who has the message gets no other one."""
        results = [
            {**one, "address": fingerprint(str(one.get("address")), send_key) if may_go_again else None}
            for one in answer.get("results", ())
        ]
        return {**answer, "results": results} if results else answer

    def told(self, body: Row, row: Row, previous_response: Row) -> Outcome:
        """Sent if no address failed. An address without a result (they are optional) counts as taken."""
        _, addresses = _addresses(row)
        asked = _asked(row, previous_response)
        found = _by_address(body, asked)
        if not found and not any(body.get(name) for name in _NAMES):
            raise InvalidResponseError(
                "Infobip took the request, but its answer has no key of what was made.", status=200
            )
        results = [_result(address, found.get(address)) for address in asked]
        of_request = _of_request(body)
        own = {*asked, *(fingerprint(one, str(row.get("send_key"))) for one in asked)}
        kept = [one for one in previous_response.get("results", ()) if one.get("address") not in own]
        answer = {**of_request, "results": [*kept, *results]}
        rows = [_table_row(row, one, of_request) for one in results]
        return Outcome(*_status(results, len(addresses)), answer=answer, tables={RESULTS: rows})


def fingerprint(address: str, send_key: str) -> str:
    """What a forgotten number of a row is known by. Who has all numbers could find it: it is no secret."""
    if address.startswith(FORGOTTEN):
        return address
    told = dumps([send_key, number_of(address)])
    return FORGOTTEN + hashlib.sha256(told).hexdigest()[:32]


def reached(previous_response: Row) -> set[str]:
    """The numbers that the answer of an earlier request shows as taken."""
    return {
        number_of(str(one["address"])) for one in previous_response.get("results", ()) if one.get("accepted")
    }


def number_of(address: str) -> str:
    """One number in one spelling, digits where it is one: `tel:+49 171 5`, `0049 171-5` and `491715` are the same."""
    bare = _bare(address)
    if bare.startswith("+"):
        return bare.removeprefix("+")
    return next((bare.removeprefix(prefix) for prefix in _ABROAD if bare.startswith(prefix)), bare)


def _bare(address: str) -> str:
    return SPELLING.sub("", address.strip().lower().removeprefix("tel:"))


def _check_address(address: str) -> None:
    """RowRefusedError for what is not plainly one number: each text that the vendor gets is one person's."""
    identifier({"address": address.strip()}, "address")
    if not _ADDRESS.fullmatch(_bare(address)) or _TRUNK.search(address):
        raise RowRefusedError(
            f"address is {address!r:.60}, and not one number: write +49171..., 0049171... or 49171..., the digits as "
            "they are dialled from abroad; several numbers are a JSON list."
        )
    if number_of(address).startswith("0"):
        raise RowRefusedError(
            f"address is {address!r:.60}, as it is dialled at home: no country's number begins with 0. Write it as it "
            "is dialled from abroad, such as +49171... for 0171..."
        )


def _may_lack_its_country(address: str) -> bool:
    """A number that is short, and says by neither + nor 00 that its country stands first."""
    bare = _bare(address)
    return bare.isdigit() and not bare.startswith("0") and len(bare) <= SHORT


def _asked(row: Row, previous_response: Row) -> list[str]:
    """The addresses that the row's last request went to."""
    return _left(row, _addresses(row)[1], previous_response)


def _left(row: Row, addresses: Sequence[str], previous_response: Row) -> list[str]:
    done, key = reached(previous_response), str(row.get("send_key"))
    return [one for one in addresses if not {number_of(one), fingerprint(one, key)} & done]


def _requests(sender: str) -> str:
    return f"/1/smsmessaging/outbound/{quote(sender, safe='')}/requests"


def _correlator(row: Row, body: Row, previous_response: Row) -> str:
    """Of this row with this content after what was answered before: the same again for a request that is made again."""
    about = [str(row.get("send_key")), previous_response.get("client_correlator"), dumps(body).decode()]
    return hashlib.sha256(dumps(about)).hexdigest()[:32]


def _sender(row: Row) -> str:
    sender = need(row, "sender_address")
    least, most = DIGITS if sender.isdigit() else LETTERS
    if not least <= len(sender) <= most or sender in (".", ".."):
        raise RowRefusedError("sender_address must have 3 to 11 letters and digits, or 3 to 14 digits.")
    return sender


def _addresses(row: Row) -> tuple[bool, list[str]]:
    """Whether they stand in a list, and the addresses."""
    given = row.get("address")
    listed = isinstance(given, list | tuple) or (isinstance(given, str) and given.strip().startswith("["))
    addresses = (texts(row, "address") if listed else [need(row, "address")]) or []
    if not addresses:
        raise RowRefusedError("address is missing.")
    for one in addresses:
        _check_address(one)
    if len({number_of(one) for one in addresses}) < len(addresses):
        raise RowRefusedError(
            "address holds one number twice, in one spelling or in two: it would get the message twice."
        )
    return listed, addresses


def _deliveries(body: object) -> list[Document]:
    """What a body with deliveries says of each address, in the form of a send's results."""
    listed = body.get("deliveryInfoList") if isinstance(body, dict) else None
    infos = listed.get("deliveryInfo") if isinstance(listed, dict) else None
    return [
        {"destinationAddress": one.get("address"), "messageStatus": one["deliveryStatus"]}
        for one in (infos if isinstance(infos, list) else [])
        if isinstance(one, dict) and isinstance(one.get("deliveryStatus"), str)
    ]


def _destination(result: Row) -> object:
    """The address that it names, be it in a list of one."""
    name = result.get("destinationAddress")
    return name[0] if isinstance(name, list) and len(name) == 1 else name


def _by_address(body: Row, asked: Sequence[str]) -> dict[str, Row]:
    """The results by the address as we wrote it; by their order where they do not name theirs."""
    listed = body.get("sendMessageResults")
    results = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    ours = {number_of(one): one for one in asked}
    found: dict[str, Row] = {}
    nameless = []
    for one in results:
        address = ours.get(number_of(str(_destination(one))))
        if address is None:
            nameless.append(one)
        else:
            found[address] = one
    if len(nameless) == len(results) == len(asked) and not any(
        one.get("destinationAddress") for one in results
    ):
        return dict(zip(asked, results, strict=True))
    return found


def _result(address: str, result: Row | None) -> Document:
    """What the vendor said of one address; nulls where it said nothing."""
    said = result or {}
    status, error = said.get("messageStatus"), said.get("errorMessageId")
    letters = "".join(c for c in str(status or "").lower() if c.isalpha())
    return {
        "address": address,
        "accepted": not error and not FAILED.search(letters),
        "message_status": status,
        "message_id": said.get("messageId"),
        "error_message_id": error,
        "price": _price(said.get("price")),
        "process_log_key": said.get("processLogKey"),
    }


def _price(price: object) -> str | None:
    """Its digits: the ledger's JSON must not make a float of it."""
    if isinstance(price, int | Decimal) and not isinstance(price, bool):
        return plain(Decimal(price))
    return price if isinstance(price, str) else None


def _of_request(body: Row) -> Document:
    """What the vendor said of the whole request. The document's table and sample name the key differently."""
    reference = body.get("resourceReference")
    return {
        "client_correlator": body.get("clientCorrelator"),
        "resource_url": reference.get("resourceURL") if isinstance(reference, dict) else None,
        "url_process_tracking_key": body.get("urlProcessTrackingKey") or body.get("urlTrackingProcessKey"),
    }


def _table_row(row: Row, result: Row, of_request: Row) -> Document:
    """A row of `sent.infobip_message_results`; the price as money is everywhere, with six decimals."""
    try:
        price = None if result["price"] is None else Decimal(result["price"]).quantize(MONEY)
    except ArithmeticError:
        price = None
    return {"send_key": row.get("send_key"), **result, "price": price, **of_request}


def _status(results: Sequence[Row], of: int) -> tuple[Any, str | None]:
    failed = [one for one in results if not one["accepted"]]
    silent = sum(one["message_status"] is None and one["accepted"] for one in results)
    if failed:
        whys = dict.fromkeys(str(one["error_message_id"] or one["message_status"]) for one in failed)
        return "rejected", f"{len(failed)} of {of} addresses failed: {', '.join(whys)}"[:160]
    return "sent", f"no result came for {silent} of {of} addresses" if silent else None
