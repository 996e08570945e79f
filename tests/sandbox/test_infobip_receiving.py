"""What Infobip refuses, and what counts once it was created, sent and logged."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.infobip import Variants, error_body
from tests.sandbox.asking import call, infobip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Twenty days of messages, with the clock at their end."""
    with Sandbox(World(days=20)) as running:
        yield running


def test_documented_errors(sandbox: Sandbox) -> None:
    """No user, no Content-Type, no such process or tag, no date: each a requestError."""
    key = sandbox.infobip.pairs[0]["process_key"]
    path = f"/1/conversion-rate/process/{key}/statistics/conversion-rate"
    user = {"Authorization": "Basic eDp5"}
    replies = {
        "user": call(sandbox, "GET", path, {**user, "Content-Type": "application/json"}),
        "type": infobip(sandbox, path, **{"Content-Type": ""}),
        "xml": infobip(sandbox, path, **{"Content-Type": "application/xml"}),
        "process": infobip(sandbox, path.replace(key, "0" * 32)),
        "tag": infobip(sandbox, f"{path}?start-tag=BEGIN"),
        "date": infobip(sandbox, f"{path}?from=2026-01-01T00:00:00.000Z"),
        "unencoded": infobip(sandbox, f"{path}?from=2026-01-01T00:00:00.000+0000"),
        "order": infobip(sandbox, f"{path}?from=2027-01-01T00:00:00.000%2B0000"),
        "path": infobip(sandbox, "/1/conversion-rate/process/x/y"),
    }
    told = {name: one.json()["requestError"]["serviceException"] for name, one in replies.items()}
    statuses = {"user": 401, "type": 400, "xml": 415, "process": 404, "tag": 404, "path": 404}
    assert {name: one.status for name, one in replies.items()} == {**dict.fromkeys(replies, 400), **statuses}
    assert told["type"]["text"] == "General error"
    assert told["process"] == {
        "messageId": "RESOURCE_NOT_FOUND",
        "text": "Process not found.",
        "variables": ["0" * 32],
    }
    assert {frozenset(one) for one in told.values()} == {frozenset({"messageId", "text", "variables"})}


def test_the_rate_limit_is_a_policy(sandbox: Sandbox) -> None:
    """Every third request, as the variant has it; a fault can say it as well."""
    sandbox.infobip.variants = Variants(limited_every=3)
    path = f"/1/conversion-rate/process/{sandbox.infobip.pairs[0]['process_key']}/statistics/conversion-rate"
    replies = [infobip(sandbox, path) for _ in range(6)]
    assert [one.status for one in replies] == [200, 200, 429] * 2
    expected = error_body("TOO_MANY_REQUESTS", "Rate limiting has been applied.", policy=True)
    assert (
        replies[2].json()
        == expected
        == {"requestError": {"policyException": expected["requestError"]["policyException"]}}
    )
    sandbox.faults.add(
        Fault(path="*/conversion-rate", times=1, mutate=lambda document, _: document["conversionRates"])
    )
    assert isinstance(infobip(sandbox, path).json(), list)


def test_what_is_logged_counts(sandbox: Sandbox) -> None:
    """A process of one's own: three messages, one of them refused; one end logged twice, another never."""
    process = infobip(sandbox, "/1/conversion-rate/process", {"name": "Mine", "description": "x"}).json()[
        "key"
    ]
    path = f"/1/conversion-rate/process/{process}"
    start, end = (
        infobip(sandbox, f"{path}/tag", {"name": name, "processTagType": f"{name}_TAG"}).json()["key"]
        for name in ("START", "END")
    )
    sandbox.infobip.variants = Variants(refused=frozenset({"385980000003"}), price=Decimal("0.01"))
    message = {
        "address": ["385980000001", "385980000002", "385980000003"],
        "senderAddress": "INFOSMS",
        "trackInfo": {"initTagInfo": {"processKey": process, "tag": "START"}},
    }
    sent = infobip(sandbox, "/1/smsmessaging/outbound/INFOSMS/requests", message).json()["sendMessageResults"]
    assert [one["messageStatus"] for one in sent] == ["MessageAccepted", "MessageAccepted", "MessageNotSent"]
    assert [one["price"] for one in sent] == [Decimal("0.01"), Decimal("0.01"), 0]
    assert sent[2]["processLogKey"] is None
    sandbox.world.advance(seconds=90)
    body = {"processLogKey": sent[0]["processLogKey"], "processTagKey": end}
    for number in (1, 2):
        assert infobip(sandbox, f"{path}/log", body).json()["addCount"] == number
        sandbox.world.advance(seconds=30)
    told = infobip(sandbox, f"{path}/statistics/average-conversion-rate?start-tag=START&end-tag=END").json()
    assert told["conversionRateStats"] == {"startCount": 2, "endCount": 1, "conversionRate": Decimal("0.5")}
    assert told["averageConversionTime"]["time"] == 90
    today = sandbox.world.now.date()
    assert sandbox.infobip.oracle.rates((process, "START", "END"), today, today)[today].end_count == 1
    assert [one.what for one in sandbox.infobip.received] == [
        "process",
        "tag",
        "tag",
        "message",
        "log",
        "log",
    ]
    assert sandbox.infobip.oracle.processes()[process].name == "Mine"
    assert sandbox.infobip.oracle.tags()[start].tag_type == "START_TAG"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("conversion-rate/process", {"name": "x"}, 400),
        ("conversion-rate/process", "[]", 400),
        ("conversion-rate/process/KEY/tag", {"processTagType": "MIDDLE"}, 400),
        ("conversion-rate/process/nobody/tag", {}, 404),
        ("conversion-rate/process/KEY/log", {"processTagKey": "none"}, 404),
        ("conversion-rate/process/KEY/log", {"osType": "BeOS"}, 400),
        ("conversion-rate/process/KEY/log", {}, 200),
        ("smsmessaging/outbound/INFOSMS/requests", {"message": "x"}, 400),
        ("smsmessaging/outbound/INFOSMS/requests", {"address": []}, 400),
        ("smsmessaging/outbound/IN/requests", {"address": "385980000001"}, 400),
        ("smsmessaging/outbound/TWELVELETTER/requests", {"address": "385980000001"}, 400),
        ("smsmessaging/outbound/41793026727000/requests", {"address": "385980000001"}, 200),
        (
            "smsmessaging/outbound/INFOSMS/requests",
            {"address": "1", "trackInfo": {"initTagInfo": {"processKey": "x"}}},
            404,
        ),
    ],
)
def test_what_is_taken_and_what_is_not(sandbox: Sandbox, path: str, body: object, status: int) -> None:
    """Required fields, known keys, documented enums and lengths."""
    key = sandbox.infobip.pairs[0]["process_key"]
    assert infobip(sandbox, f"/1/{path.replace('KEY', key)}", body).status == status
    assert len(sandbox.infobip.received) == (status == 200)
