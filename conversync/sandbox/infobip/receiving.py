"""What others create, log and send, as documented; all of it is remembered and counts in the statistics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from conversync.sandbox.infobip.errors import Refused, unknown
from conversync.sandbox.infobip.instants import shown
from conversync.sandbox.infobip.processes import Log, Process, Tag, TagType, Told, hex_key, log_key
from conversync.sandbox.infobip.variants import Variants
from conversync.sandbox.world import World

WORDS = {
    "START_TAG": "Start tag",
    "END_TAG": "End tag",
    "UNDEFINED_TAG": "Undefined tag type",
    "USER_DEFINED": "User defined process",
    "DEFAULT": "Default process type",
    "TRACKING": "Tracking process type",
    "SYSTEM": "System process type",
    "DAY": "Granulation by days",
    "UNKNOWN": "Unknown",
    "WINDOWS": "Windows",
    "LINUX": "Linux",
    "WINDOWS_FAILOVER_CLUSTER": "Windows failover cluster",
    "ANDROID": "Android",
    "IOS": "IOS",
    "WINDOWS_PHONE": "Windows Phone",
}
"""Each constant as the tables call it."""
CONSTANTS = {word.casefold(): constant for constant, word in WORDS.items()}
OS_TYPES = ("UNKNOWN", "WINDOWS", "LINUX", "WINDOWS_FAILOVER_CLUSTER", "ANDROID", "IOS", "WINDOWS_PHONE")


@dataclass(frozen=True)
class Received:
    """One request that was taken: `process`, `tag`, `log` or `message`, its body and its answer."""

    at: datetime
    what: str
    path_key: str
    body: Mapping[str, Any]
    answer: Mapping[str, Any]


class Desk:
    """Processes, tags and logs of one account: the world's and what came since."""

    def __init__(self, world: World, told: Told, account_key: str) -> None:
        self.world = world
        self.account_key = account_key
        self.processes = {one.key: one for one in told.processes}
        self.tags = {one.key: one for one in told.tags}
        self.logs: list[Log] = []
        """What was logged by others, in order; the world's own logs are not among them."""
        self.received: list[Received] = []
        self.deliveries: dict[tuple[str, str], list[tuple[str, bool]]] = {}
        """By sender and correlator, each address and whether it was accepted."""
        self.next_keys: list[str] = []
        """Keys to give out next, before any of our own making."""
        self._made = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def process(self, key: str) -> Process:
        """404 if there is none."""
        if key not in self.processes:
            raise unknown("Process", key)
        return self.processes[key]

    def tag(self, process_key: str, name: str | None, kind: TagType) -> Tag:
        """By name or key; without one the process's first of that type."""
        tags = [one for one in self.tags.values() if one.process_key == process_key]
        for one in tags:
            if name in (one.name, one.key) or (not name and one.tag_type == kind):
                return one
        raise unknown("Tag", name or kind)

    def create_process(self, body: Mapping[str, Any], variants: Variants) -> dict[str, Any]:
        """Name and description are required."""
        name, description = _text(body, "name"), _text(body, "description")
        one = Process(self._key(), name, description, self.world.now)
        self.processes[one.key] = one
        answer = {
            "key": one.key,
            "name": one.name,
            "timeAdded": shown(one.time_added, variants),
            "processType": _enum(one.process_type, variants),
            "description": one.description,
        }
        return self._keep("process", "", body, answer)

    def create_tag(self, process_key: str, body: Mapping[str, Any], variants: Variants) -> dict[str, Any]:
        """Everything is optional; a type is a constant or the table's word for it."""
        self.process(process_key)
        kind = _constant(body.get("processTagType") or "UNDEFINED_TAG", get_args(TagType), "processTagType")
        one = Tag(self._key(), process_key, str(body.get("name") or ""), body.get("description"), kind)
        self.tags[one.key] = one
        answer = {
            "key": one.key,
            "name": body.get("name"),
            "description": one.description,
            "processTagType": _enum(one.tag_type, variants),
        }
        return self._keep("tag", process_key, body, answer)

    def log(self, process_key: str, body: Mapping[str, Any], variants: Variants) -> dict[str, Any]:
        """`addCount` is how often this subscriber passed this tag; only the first time counts."""
        self.process(process_key)
        tag_key = body.get("processTagKey")
        if tag_key is not None:
            self.tag(process_key, str(tag_key), "UNDEFINED_TAG")
        os_type = body.get("osType")
        if os_type is not None:
            os_type = _enum(_constant(os_type, OS_TYPES, "osType"), variants)
        key = str(body.get("processLogKey") or self._uuid())
        answer = {
            "processKey": process_key,
            "accountKey": self.account_key,
            "key": key,
            "tag": None,
            "processTagKey": tag_key,
            "timeAdded": shown(self.world.now, variants),
            "countryCode": body.get("countryCode"),
            "osType": os_type,
            "addCount": self._pass(process_key, str(tag_key or ""), key),
        }
        return self._keep("log", process_key, body, answer)

    def _pass(self, process_key: str, tag_key: str, key: str) -> int:
        now = self.world.now
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.logs.append(Log(process_key, tag_key, key, at, at))
        self._counts[tag_key, key] += 1
        return self._counts[tag_key, key]

    def send(self, sender: str, body: Mapping[str, Any], variants: Variants, root: str) -> dict[str, Any]:
        """One result for each address; tracking begins for those that were accepted."""
        sender_address = _sender_address(body, sender)
        track = body.get("trackInfo") or {}
        start = self._start(track.get("initTagInfo") or {})
        correlator = self._correlator(body, variants)
        if variants.correlators == "folded" and (sender, correlator) in self.deliveries:
            return self._first_answer(correlator)
        shown_sender = "{senderAddress}" if variants.literal_sender else sender
        url = f"{root}/1/smsmessaging/outbound/{shown_sender}/requests/{correlator}/deliveryInfos"
        results = [self._result(address, sender_address, start, variants) for address in _addresses(body)]
        taken = [one["messageStatus"] == "MessageAccepted" for one in results]
        self.deliveries[sender, correlator] = list(zip(_addresses(body), taken, strict=True))
        answer = {
            "resourceReference": {"resourceURL": url},
            "clientCorrelator": correlator,
            "sendMessageResults": results,
            variants.url_key: self._key() if track.get("urlTrackInfo") else None,
        }
        if variants.results == "absent":
            del answer["sendMessageResults"]
        return self._keep("message", sender, body, answer)

    def _first_answer(self, correlator: str) -> dict[str, Any]:
        return next(
            dict(one.answer) for one in self.received if one.answer.get("clientCorrelator") == correlator
        )

    def _correlator(self, body: Mapping[str, Any], variants: Variants) -> str:
        given = None if variants.correlators == "own" else body.get("clientCorrelator")
        now = self.world.now
        return str(given or int(now.timestamp()) * 10**7 + now.microsecond * 10)

    def deliveries_of(self, sender: str, correlator: str, variants: Variants) -> dict[str, Any]:
        """What became of a request at each address; 404 for one that never came."""
        if (sender, correlator) not in self.deliveries:
            raise unknown("Request", correlator)
        infos = [
            {
                "address": f"tel:{address}",
                "deliveryStatus": variants.delivery if taken else "DeliveryImpossible",
            }
            for address, taken in self.deliveries[sender, correlator]
        ]
        return {"deliveryInfoList": {"deliveryInfo": infos, "resourceURL": None}}

    def _start(self, wish: Mapping[str, Any]) -> Tag | None:
        """The tag that a message passes for its subscriber."""
        if not wish.get("processKey"):
            return None
        return self.tag(self.process(str(wish["processKey"])).key, wish.get("tag"), "START_TAG")

    def _result(self, address: str, sender: str, start: Tag | None, variants: Variants) -> dict[str, Any]:
        accepted = address.isdigit() and address not in variants.refused
        message_id = self._uuid()
        key = self._started(start) if accepted and start else None
        shown_address: object = [address] if variants.destination == "list" else address
        result = {
            "messageStatus": "MessageAccepted" if accepted else "MessageNotSent",
            "messageId": message_id,
            "senderAddress": sender,
            "destinationAddress": shown_address,
            "price": variants.price if accepted else 0,
            "errorMessageId": None,
            "conversionTrackFlag": None,
            "conversionTrackKey": None,
            "processLogKey": key,
        }
        if not accepted and variants.refused_as == "error":
            result["errorMessageId"] = "EC_INVALID_DESTINATION_ADDRESS"
        if variants.results == "nameless":
            del result["destinationAddress"]
        return result

    def _started(self, tag: Tag) -> str:
        """The key of a subscriber who passes this tag now."""
        key = self._uuid()
        self._pass(tag.process_key, tag.key, key)
        return key

    def _keep(self, what: str, key: str, body: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        self.received.append(Received(self.world.now, what, key, dict(body), answer))
        return answer

    def _key(self) -> str:
        self._made += 1
        return self.next_keys.pop(0) if self.next_keys else hex_key(f"made {self._made}")

    def _uuid(self) -> str:
        self._made += 1
        return self.next_keys.pop(0) if self.next_keys else log_key(f"made {self._made}")


def body_of(body: bytes) -> dict[str, Any]:
    """The JSON object that was posted."""
    try:
        wish = json.loads(body)
    except ValueError:
        wish = None
    if not isinstance(wish, dict):
        raise Refused(400, "INVALID_ARGUMENT", "The request body is not a JSON object.")
    return wish


def _enum(constant: str, variants: Variants) -> str:
    return constant if variants.enums == "constants" else WORDS[constant]


def _constant(text: Any, allowed: tuple[str, ...], name: str) -> Any:
    constant = CONSTANTS.get(str(text).casefold(), str(text))
    if constant not in allowed:
        raise _invalid(name, str(text))
    return constant


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid(name, "")
    return value


def _sender_address(body: Mapping[str, Any], sender: str) -> str:
    address = str(body.get("senderAddress") or sender)
    longest = 14 if address.isdigit() else 11
    if not 3 <= len(address) <= longest:
        raise _invalid("senderAddress", address)
    return address


def _addresses(body: Mapping[str, Any]) -> list[str]:
    address = body.get("address")
    addresses = [address] if isinstance(address, str) else address
    if not isinstance(addresses, list) or not addresses or not all(isinstance(one, str) for one in addresses):
        raise _invalid("address", "")
    return addresses


def _invalid(name: str, value: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", f"Parameter {name} is missing or wrong.", name, value)
