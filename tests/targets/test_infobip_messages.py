"""Infobip: tracked messages to one and to many addresses."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from conversync.errors import InvalidResponseError, UnavailableError
from conversync.http.client import Response
from conversync.sandbox import Fault
from conversync.sandbox.infobip import Variants
from conversync.send.target import Outcome, RowRefusedError
from conversync.vendors import targets
from sources.infobip.tables import MESSAGE_RESULTS
from tests.targets.sending import Post, settings_of, told

TARGET = "infobip.messages"
TABLE = "sent.infobip_message_results"
TEXT = "We invite you to use our fancy app using this promo code 12345."
SAMPLE_ROW = {
    "send_key": "m-1",
    "sender_address": "INFOSMS",
    "address": '["385981234567"]',
    "message": TEXT,
    "process_key": "95578456D6F794703FB6C9418AF6AA97",
    "tag": "START",
}
# The document's samples, to the letter.
SAMPLE = """{
  "senderAddress": "INFOSMS",
  "trackInfo": {
    "initTagInfo": {
      "processKey": "95578456D6F794703FB6C9418AF6AA97",
      "tag": "START"
      }
  },
  "address": [
    "385981234567"
  ],
  "message": "We invite you to use our fancy app using this promo code 12345."
}"""
ANSWER = """{
   "resourceReference": {
       "resourceURL": "https://oneapi.infobip.com/1/smsmessaging/outbound/{senderAddress}/requests/14129485255681170/deliveryInfos"
   },
   "clientCorrelator": "14129485255681170",
   "sendMessageResults": [
       {
           "messageStatus": "MessageAccepted",
           "messageId": "a715c699-188b-416b-aa8e-78f0e5383412",
           "senderAddress": "INFOSMS",
           "destinationAddress": "385981234567",
           "price": 0,
           "errorMessageId": null,
           "conversionTrackFlag": null,
           "conversionTrackKey": null,
           "processLogKey": "7c32d5fc-6870-4c33-8222-44d477b0671c"
       }
   ],
   "urlTrackingProcessKey": null
}"""
GOOD, BAD, OTHER = "385980000001", "385980000002", "385980000003"


def message(post: Post, *addresses: str) -> dict[str, Any]:
    """A row to these addresses."""
    process = post.sandbox.infobip.pairs[0]["process_key"]
    return {**SAMPLE_ROW, "process_key": process, "address": list(addresses)}


def test_the_documents_request(post: Post) -> None:
    """Member by member; and a clientCorrelator, as the vendor's own client sends it, by which it can be asked for."""
    request = post.request(TARGET, **SAMPLE_ROW)
    assert (request.method, request.path) == ("POST", "/1/smsmessaging/outbound/INFOSMS/requests")
    body = dict(request.json)
    correlator = body.pop("clientCorrelator")
    assert json.dumps(body) == json.dumps(json.loads(SAMPLE))
    assert correlator == request.identity == post.request(TARGET, **SAMPLE_ROW).identity
    others = [{**SAMPLE_ROW, "send_key": "m-2"}, {**SAMPLE_ROW, "message": "x"}]
    assert len({correlator, *(post.request(TARGET, **one).identity for one in others)}) == 3


@pytest.mark.usefixtures("post")
def test_the_documents_answer() -> None:
    """What is kept of it: for the row as a whole, and one row for each address."""
    outcome = told(TARGET, SAMPLE_ROW, ANSWER)
    url = "https://oneapi.infobip.com/1/smsmessaging/outbound/{senderAddress}/requests/14129485255681170/deliveryInfos"
    of_request = {
        "client_correlator": "14129485255681170",
        "resource_url": url,
        "url_process_tracking_key": None,
    }
    result = {
        "address": "385981234567",
        "accepted": True,
        "message_status": "MessageAccepted",
        "message_id": "a715c699-188b-416b-aa8e-78f0e5383412",
        "error_message_id": None,
        "price": "0",
        "process_log_key": "7c32d5fc-6870-4c33-8222-44d477b0671c",
    }
    assert (outcome.status, outcome.reason) == ("sent", None)
    assert outcome.answer == {**of_request, "results": [result]}
    row = {"send_key": "m-1", **result, "price": Decimal(0), **of_request}
    assert outcome.tables == {TABLE: [row]}
    assert row.keys() == set(MESSAGE_RESULTS.schema.names)
    assert targets()[TARGET].keys == {TABLE: ("send_key", "address")}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("385981234567", "385981234567"),
        (385981234567, "385981234567"),
        ('["385981234567"]', ["385981234567"]),
        (["385981234567", "41793026727"], ["385981234567", "41793026727"]),
    ],
)
def test_one_address_is_a_text_and_many_are_a_list(post: Post, given: object, expected: object) -> None:
    """ "A single String is supported instead of an Array." """
    assert post.request(TARGET, **{**SAMPLE_ROW, "address": given}).json["address"] == expected


def test_what_is_optional_is_left_out(post: Post) -> None:
    """Without a process there is no trackInfo; urlTrackInfo is passed on as it is."""
    bare = {"sender_address": "41793026727", "address": "385981234567"}
    expected = {"senderAddress": "41793026727", "address": "385981234567"}
    asked = post.request(TARGET, **bare)
    assert asked.json == {**expected, "clientCorrelator": asked.identity}
    tracked = post.request(TARGET, **bare, url_track_info='{"any": {"thing": 1.50}}').json
    assert tracked["trackInfo"] == {"urlTrackInfo": {"any": {"thing": Decimal("1.50")}}}
    assert post.request(TARGET, **bare, tag="START").json["trackInfo"] == {"initTagInfo": {"tag": "START"}}


@pytest.mark.parametrize("as_", ["error", "status"])
@pytest.mark.parametrize("destination", ["text", "list"])
def test_only_the_failed_addresses_go_again(post: Post, as_: Any, destination: Any) -> None:
    """One of three fails: the row is rejected, and a later request of it reaches that one alone."""
    price = Decimal("0.0125")
    post.sandbox.infobip.variants = Variants(
        refused=frozenset({BAD}), refused_as=as_, destination=destination, price=price
    )
    row = message(post, GOOD, BAD, OTHER)
    first = post.send(TARGET, **row)
    why = {"error": "EC_INVALID_DESTINATION_ADDRESS", "status": "MessageNotSent"}[as_]
    assert (first.status, first.reason) == ("rejected", f"1 of 3 addresses failed: {why}")
    assert [(one["address"], one["accepted"], one["price"]) for one in first.tables[TABLE]] == [
        (GOOD, True, price),
        (BAD, False, Decimal(0)),
        (OTHER, True, price),
    ]
    post.sandbox.infobip.variants = Variants(price=price)
    previous_response = json.loads(json.dumps(first.answer))
    second = post.send(TARGET, previous_response, **row)
    assert post.body["address"] == [BAD]
    assert (second.status, second.reason) == ("sent", None)
    assert [one["address"] for one in second.tables[TABLE]] == [BAD]
    assert {one["address"]: one["accepted"] for one in second.answer["results"]} == dict.fromkeys(
        (GOOD, BAD, OTHER), True
    )
    with pytest.raises(RowRefusedError, match="every address has the message already"):
        post.send(TARGET, second.answer, **row)
    assert len(post.sandbox.requests) == 2


def test_all_that_fail_go_again(post: Post) -> None:
    """Still in the list that the row has; the reason counts those of the whole row."""
    post.sandbox.infobip.variants = Variants(refused=frozenset({GOOD, BAD}))
    first = post.send(TARGET, **message(post, GOOD, BAD, OTHER))
    assert first.reason == "2 of 3 addresses failed: EC_INVALID_DESTINATION_ADDRESS"
    second = post.send(TARGET, first.answer, **message(post, GOOD, BAD, OTHER))
    assert post.body["address"] == [GOOD, BAD]
    assert (second.status, second.reason) == ("rejected", first.reason)


def test_a_price_is_money_from_the_first_row_on(post: Post) -> None:
    """The sample's 0 and a dearer one have one type: six decimals, as every amount in the tables."""
    for price in (Decimal(0), Decimal("0.0125"), Decimal(12)):
        post.sandbox.infobip.variants = Variants(price=price)
        [result] = post.send(TARGET, **message(post, GOOD)).tables[TABLE]
        assert result["price"] == price
        assert result["price"].as_tuple().exponent == -6


def test_the_key_of_a_subscriber_serves_later_logs(post: Post) -> None:
    """processLogKey of a result is what a log names."""
    outcome = post.send(TARGET, **message(post, GOOD))
    [result] = outcome.tables[TABLE]
    process = message(post)["process_key"]
    log = post.send("infobip.logs", process_key=process, process_log_key=result["process_log_key"])
    assert log.answer["key"] == result["process_log_key"]


def test_results_are_optional(post: Post) -> None:
    """Without any the request was taken all the same, and the reason says what is not known."""
    post.sandbox.infobip.variants = Variants(results="absent")
    outcome = post.send(TARGET, **message(post, GOOD, BAD))
    assert (outcome.status, outcome.reason) == ("sent", "no result came for 2 of 2 addresses")
    assert [one["message_id"] for one in outcome.tables[TABLE]] == [None, None]


def test_results_without_an_address_are_in_the_order_asked(post: Post) -> None:
    """One for each, so none is mistaken for another."""
    post.sandbox.infobip.variants = Variants(results="nameless", refused=frozenset({BAD}))
    outcome = post.send(TARGET, **message(post, GOOD, BAD))
    assert [one["accepted"] for one in outcome.tables[TABLE]] == [True, False]


@pytest.mark.parametrize("key", ["urlTrackingProcessKey", "urlProcessTrackingKey"])
def test_the_key_of_a_tracked_address_has_two_names(post: Post, key: Any) -> None:
    """One in the document's sample, one in its table."""
    post.sandbox.infobip.variants = Variants(url_key=key)
    outcome = post.send(TARGET, **message(post, GOOD), url_track_info={"any": "thing"})
    assert outcome.answer["url_process_tracking_key"]


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize(
    ("status", "accepted"),
    [
        ("MessageAccepted", True),
        ("MessageWaiting", True),
        ("Waiting for delivery", True),
        ("DeliveredToTerminal", True),
        ("MessageNotSent", False),
        ("not sent", False),
        ("NOT_DELIVERED", False),
        ("DeliveryImpossible", False),
        ("REJECTED_NOT_ENOUGH_CREDITS", False),
        (None, True),
    ],
)
def test_a_status_tells_who_has_the_message(status: str | None, accepted: bool) -> None:
    """The document names no list: what says that it did not go, did not."""
    result = {"messageStatus": status, "destinationAddress": GOOD, "price": "0.01"}
    body = json.dumps({"sendMessageResults": [result]})
    outcome = told(TARGET, {**SAMPLE_ROW, "address": GOOD}, body)
    assert outcome.tables[TABLE][0]["accepted"] is accepted
    assert outcome.tables[TABLE][0]["price"] == Decimal("0.01")
    assert outcome.status == ("sent" if accepted else "rejected")


@pytest.mark.usefixtures("post")
def test_an_error_id_tells_that_it_did_not_go() -> None:
    """Whatever the status says."""
    result = {"messageStatus": "MessageAccepted", "destinationAddress": GOOD, "errorMessageId": "EC_7"}
    outcome = told(TARGET, {**SAMPLE_ROW, "address": GOOD}, json.dumps({"sendMessageResults": [result]}))
    assert (outcome.status, outcome.reason) == ("rejected", "1 of 1 addresses failed: EC_7")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"sender_address": None}, "sender_address is missing"),
        ({"sender_address": "IN"}, "sender_address must have 3 to 11 letters and digits, or 3 to 14 digits"),
        ({"sender_address": "TWELVELETTER"}, "sender_address must have"),
        ({"sender_address": "417930267270001"}, "sender_address must have"),
        ({"address": None}, "address is missing"),
        ({"address": "[]"}, "address is missing"),
        ({"address": '["1", 2]'}, "address is no list of texts"),
        ({"address": "[1"}, "address is not JSON"),
        ({"address": ["1", "1"]}, "address holds one number twice"),
        pytest.param({"address": ["+49171555", "0049171555"]}, "one number twice", id="x29-plus-and-zeros"),
        pytest.param({"address": ["49171555", "tel:+49171555"]}, "one number twice", id="x29-tel"),
        pytest.param({"address": ["49171555", "49 171-555"]}, "one number twice", id="x29-blanks"),
        pytest.param({"address": ["49171555", "(49)171.555 "]}, "one number twice", id="x29-brackets"),
        pytest.param({"address": ["49171555", "{phone}"]}, "address is '{phone}'", id="x23-address"),
        pytest.param({"address": ["49171555", "01149171555"]}, "one number twice", id="x29-abroad"),
        *(
            pytest.param({"address": one}, "and not one number", id=f"address-{one!a}")
            for one in [
                "49171555,49171556",
                "49171555;49171556",
                '""',
                '{"a":1}',
                "sip:49171555@x",
                ["49171555", "49171555;phone-context=x"],
                ["49171555", "\uff14\uff19171555"],
                ["49171555", "+49(0)171555"],
                ["49171555", "+49 171 555 ext 7"],
                "49+171555",
                "+",
            ]
        ),
        *(
            pytest.param({"address": one}, "as it is dialled at home", id=f"x29-national-{one!a}")
            for one in ["0171 5551234", "+0171 5551234", ["49171555", "tel:0171-5551234"], "000171555"]
        ),
        pytest.param({"process_key": "null"}, "process_key is 'null'", id="x23-process"),
        ({"url_track_info": "[]"}, "url_track_info is no JSON object"),
    ],
)
def test_what_cannot_be_meant_is_refused_here(post: Post, row: dict[str, Any], why: str) -> None:
    """With the reason, and without a request."""
    with pytest.raises(RowRefusedError, match=why):
        post.send(TARGET, **{**SAMPLE_ROW, **row})
    assert post.sandbox.requests == []


@pytest.mark.parametrize(
    ("address", "doubted"),
    [
        ("2125551234", True),
        (["385981234567", "171 5551234"], True),
        ("+4520123456", False),
        ("004520123456", False),
        ("385981234567", False),
        ("{phone}", False),
    ],
)
def test_x29_a_number_that_may_lack_its_country_is_told_in_the_plan(address: object, doubted: bool) -> None:
    """It goes, for small countries have such numbers; with a + or 00 before it, nothing is said."""
    told = targets()[TARGET].warnings({**SAMPLE_ROW, "address": address}, {})
    assert ["its country is missing" in one for one in told] == [True] * doubted


def test_a_message_is_never_repeated_on_our_own_account(post: Post) -> None:
    """A lost answer is in doubt: the subscriber may have the message."""
    assert not targets()[TARGET].is_idempotent(SAMPLE_ROW, settings_of(TARGET))
    post.sandbox.faults.add(Fault(taken=True, close_before_answer=True))
    with pytest.raises(UnavailableError) as caught:
        post.send(TARGET, **message(post, GOOD))
    assert caught.value.in_doubt
    assert len(post.sandbox.infobip.received) == 1


def looked_up(addresses: list[str], *told: tuple[str, str]) -> Outcome:
    """What the vendor's word on a request in doubt means for its row."""
    infos = [{"address": address, "deliveryStatus": status} for address, status in told]
    body = json.dumps({"deliveryInfoList": {"deliveryInfo": infos}}).encode()
    answer = Response(200, {"Content-Type": "application/json"}, body, "Infobip")
    return targets()[TARGET].looked_up(
        answer, "c", {**SAMPLE_ROW, "address": addresses}, settings_of(TARGET), {}
    )


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([], "in_doubt"),
        ([(GOOD, "DeliveredToTerminal")], "in_doubt"),
        ([(OTHER, "DeliveredToTerminal")], "in_doubt"),
        ([(OTHER, "DeliveredToTerminal"), ("49", "DeliveredToTerminal")], "in_doubt"),
        ([(GOOD, "DeliveryImpossible")], "in_doubt"),
        ([(GOOD, "DeliveredToTerminal"), (f"tel:+{BAD}", "DeliveredToTerminal")], "sent"),
        ([(GOOD, "DeliveredToTerminal"), (BAD, "DeliveryImpossible")], "rejected"),
    ],
)
def test_a_delivery_settles_a_row_once_it_names_each_address(
    told: list[tuple[str, str]], status: str
) -> None:
    """Of what the vendor does not name, or names otherwise, nothing is known: the doubt stays."""
    assert looked_up([GOOD, BAD], *told).status == status


@pytest.mark.usefixtures("post")
def test_an_answer_that_names_nothing_of_what_was_made_is_in_doubt() -> None:
    """No correlator, no reference, no result: nobody knows whether a message goes."""
    with pytest.raises(InvalidResponseError, match="no key of what was made") as caught:
        told(TARGET, {**SAMPLE_ROW, "address": GOOD}, "{}")
    assert caught.value.in_doubt
    assert told(TARGET, {**SAMPLE_ROW, "address": GOOD}, '{"clientCorrelator": "c"}').status == "sent"
