# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Infobip: a message to one or many addresses, which begins the tracking of each.

The document's "Send SMS messages that triggers a tracking process":

    POST /1/smsmessaging/outbound/{senderAddress}/requests
    {"senderAddress", "trackInfo": {"initTagInfo": {"processKey", "tag"}, "urlTrackInfo"}, "address", "message"}

The answer has one result for each address. Where some were taken and others not, the row is rejected, the answer
keeps who has the message, and a later request goes to the others only.

`clientCorrelator`, "an identifier that uniquely identifies the request", is in the document's *response* alone: no
request of it has one, so none is sent, and a message is never repeated on our own account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from destinations.infobip import InfobipSendSettings, InfobipTarget, set_only
from destinations.target import Column, Outcome, Request, Row, RowRefusedError
from destinations.values import need, plain, text, texts, thing

RESULTS = "sent.infobip_message_results"
# "Alphanumeric sender ID length should be between 3 and 11 characters ... Numeric ... between 3 and 14."
LETTERS, DIGITS = (3, 11), (3, 14)
MONEY = Decimal("0.000001")
# In a messageStatus, letters only: the message did not go. The document names no list of them.
FAILED = re.compile(
    r"not?sent|notdelivered|notaccepted|undeliver|reject|impossible|fail|invalid|error|notenough"
)


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
    keys: Mapping[str, Sequence[str]] = MappingProxyType({RESULTS: ("send_key", "address")})

    def request(self, row: Row, settings: InfobipSendSettings, earlier: Mapping[str, Any]) -> Request:
        """To all addresses; where an earlier request of this row reached some, to the others."""
        sender = _sender(row)
        listed, addresses = _addresses(row)
        left = [one for one in addresses if one not in reached(earlier)]
        if not left:
            raise RowRefusedError("every address has the message already.")
        track = {
            "initTagInfo": set_only({"processKey": text(row, "process_key"), "tag": text(row, "tag")})
            or None,
            "urlTrackInfo": thing(row, "url_track_info"),
        }
        body = {
            "senderAddress": sender,
            "trackInfo": set_only(track) or None,
            "address": left if listed else left[0],
            "message": text(row, "message"),
        }
        path = f"/1/smsmessaging/outbound/{quote(sender, safe='')}/requests"
        return Request("POST", path, json=set_only(body))

    def told(self, body: Mapping[str, Any], row: Row, earlier: Mapping[str, Any]) -> Outcome:
        """Sent if no address failed. An address without a result (they are optional) counts as taken."""
        _, addresses = _addresses(row)
        asked = [one for one in addresses if one not in reached(earlier)]
        found = _by_address(body, asked)
        results = [_result(address, found.get(address)) for address in asked]
        of_request = _of_request(body)
        kept = [one for one in earlier.get("results", ()) if one.get("address") not in asked]
        answer = {**of_request, "results": [*kept, *results]}
        rows = [_table_row(row, one, of_request) for one in results]
        return Outcome(*_status(results, len(addresses)), answer=answer, tables={RESULTS: rows})


def reached(earlier: Mapping[str, Any]) -> set[str]:
    """The addresses that the answer of an earlier request shows as taken."""
    return {str(one["address"]) for one in earlier.get("results", ()) if one.get("accepted")}


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
    if len(set(addresses)) < len(addresses):
        raise RowRefusedError("address holds one address twice, which would get the message twice.")
    return listed, addresses


def _by_address(body: Mapping[str, Any], asked: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The results by the address as we wrote it; by their order where they do not name theirs."""
    listed = body.get("sendMessageResults")
    results = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    ours = {one.lstrip("+"): one for one in asked}
    found: dict[str, Mapping[str, Any]] = {}
    nameless = []
    for one in results:
        name = one.get("destinationAddress")
        name = name[0] if isinstance(name, list) and len(name) == 1 else name
        address = ours.get(str(name).lstrip("+"))
        if address is None:
            nameless.append(one)
        else:
            found[address] = one
    if len(nameless) == len(results) == len(asked):
        return dict(zip(asked, results, strict=True))
    return found


def _result(address: str, result: Mapping[str, Any] | None) -> dict[str, Any]:
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


def _price(price: Any) -> str | None:
    """Its digits: the ledger's JSON must not make a float of it."""
    if isinstance(price, int | Decimal) and not isinstance(price, bool):
        return plain(Decimal(price))
    return price if isinstance(price, str) else None


def _of_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the vendor said of the whole request. The document's table and sample name the key differently."""
    reference = body.get("resourceReference")
    return {
        "client_correlator": body.get("clientCorrelator"),
        "resource_url": reference.get("resourceURL") if isinstance(reference, dict) else None,
        "url_process_tracking_key": body.get("urlProcessTrackingKey") or body.get("urlTrackingProcessKey"),
    }


def _table_row(row: Row, result: Mapping[str, Any], of_request: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `sent.infobip_message_results`; the price as money is everywhere, with six decimals."""
    try:
        price = None if result["price"] is None else Decimal(result["price"]).quantize(MONEY)
    except ArithmeticError:
        price = None
    return {"send_key": row.get("send_key"), **result, "price": price, **of_request}


def _status(results: Sequence[Mapping[str, Any]], of: int) -> tuple[Any, str | None]:
    failed = [one for one in results if not one["accepted"]]
    silent = sum(one["message_status"] is None and one["accepted"] for one in results)
    if failed:
        whys = dict.fromkeys(str(one["error_message_id"] or one["message_status"]) for one in failed)
        return "rejected", f"{len(failed)} of {of} addresses failed: {', '.join(whys)}"[:160]
    return "sent", f"no result came for {silent} of {of} addresses" if silent else None
