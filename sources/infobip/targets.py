# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Infobip: tracking processes, their tags, what is logged, and messages that begin a tracking.

The vendor's document ("Conversion rate API"), all POST, JSON, Basic authorization:

    /1/conversion-rate/process                              {"name", "description"}
    /1/conversion-rate/process/{key}/tag                    {"name", "description", "processTagType"}
    /1/conversion-rate/process/{key}/log                    {"processLogKey", "processTagKey", "countryCode", "osType"}
    /1/smsmessaging/outbound/{senderAddress}/requests       see `infobip_messages.py`

The tag samples leave the `/1` out; the endpoint lines have it, and win. Every request makes something new, with a key
of the vendor's, so none may be repeated and nothing that was sent can be changed. A refusal is
`{"requestError": {"serviceException": {"messageId", "text", "variables"}}}` or a policyException.
"""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from conversync.errors import CredentialsError, InvalidResponseError, SettingsError, UnavailableError
from conversync.http.client import Client, Limits, Response
from conversync.http.rejection import document
from conversync.http.secret import check_secret
from conversync.send import target_settings
from conversync.send.response_words import ResponseReader
from conversync.send.target import Column, Outcome, Request, Row, RowRefusedError, Target
from conversync.send.values import identifier, need, need_identifier, text
from conversync.types import Document

from .statistics import INSTANT
from .tables import PROCESSES, TAGS

DOCUMENTED = "https://oneapi.infobip.com"
HINT = (
    "Check infobip_username and infobip_password in .dlt/secrets.toml, "
    "or INFOBIP_USERNAME and INFOBIP_PASSWORD."
)
PROCESS = "/1/conversion-rate/process"
# The types of a tag that the samples name; "Undefined tag type" is in the table only, without its constant.
TAG_TYPES = {"start tag": "START_TAG", "end tag": "END_TAG"}
# As the table has them; the samples write them in capitals, "ANDROID".
OS_TYPES = ("Unknown", "Windows", "Linux", "Windows failover cluster", "Android", "IOS", "Windows Phone")


@configspec
class InfobipSendSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`: those of the source that name who asks, and where."""

    infobip_username: str = None  # type: ignore[assignment] # dlt's way to say that it is required
    infobip_password: TSecretStrValue = None  # type: ignore[assignment] # as above
    infobip_url: str = DOCUMENTED
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        if ":" in self.infobip_username:
            raise SettingsError("infobip_username holds a colon, which Basic authorization cannot carry.")
        check_secret("infobip_username", self.infobip_username)
        check_secret("infobip_password", str(self.infobip_password))
        target_settings.check_budget(self.http_budget)
        self.client().close()  # refuses an address that no request can go to

    @property
    def basic(self) -> str:
        """Username and password as the header carries them."""
        return base64.b64encode(f"{self.infobip_username}:{self.infobip_password}".encode()).decode()

    def client(self) -> Client:
        """The connection to the vendor."""
        return Client(
            self.infobip_url,
            vendor="Infobip",
            headers={"Authorization": f"Basic {self.basic}", "Content-Type": "application/json"},
            credentials_hint=HINT,
            credential="username and password",
            limits=Limits(http_budget=self.http_budget),
        )

    def ear(self) -> ResponseReader:
        """Listens without repeating a credential."""
        return ResponseReader(
            "Infobip", HINT, (self.infobip_username, str(self.infobip_password), self.basic)
        )


class InfobipTarget(Target):
    """What the four targets have in common."""

    settings: type[Any] = InfobipSendSettings

    def client(self, settings: InfobipSendSettings) -> Client:
        """Basic authorization, JSON."""
        return settings.client()

    def outcome(
        self, answer: Response, row: Row, settings: InfobipSendSettings, previous_response: Row
    ) -> Outcome:
        """`told` of an answer that takes the row. One whose keys cannot be read cannot be trusted."""
        ear = settings.ear()
        turned_down = ear.already(answer) or ear.rejection(answer)
        if turned_down:
            _not_about_the_row(turned_down, answer)
            return turned_down
        body = document(answer)
        if not isinstance(body, dict):
            raise InvalidResponseError(
                "Infobip took the request, but its answer is no JSON object.", status=answer.status
            )
        return self.told(body, row, previous_response)

    @abstractmethod
    def told(self, body: Row, row: Row, previous_response: Row) -> Outcome:
        """The outcome of a row that was taken."""

    def is_idempotent(self, row: Row, settings: InfobipSendSettings) -> bool:
        """Every request makes something new."""
        return False

    def is_updatable(self, row: Row, settings: InfobipSendSettings) -> bool:
        """Nothing that was made can be changed."""
        return False


def _not_about_the_row(turned_down: Outcome, answer: Response) -> None:
    """Raises where a body that came with a status of success says that it is about us, or about now."""
    if answer.status >= 400 or turned_down.status == "sent":
        return
    reason = (turned_down.reason or "").replace("_", "").casefold()
    if "unauthorized" in reason:
        raise CredentialsError(f"Infobip {turned_down.reason}. {HINT}", status=401)
    if "toomanyrequests" in reason or "rate limiting" in reason:
        raise UnavailableError(f"Infobip {turned_down.reason}: try again later.", status=429)


class Processes(InfobipTarget):
    """`infobip.processes`"""

    name = "infobip.processes"
    columns: Sequence[Column] = (
        Column("name", "of the process", required=True),
        Column("description", "of the process", required=True),
    )
    keys: Mapping[str, Sequence[str]] = MappingProxyType({"infobip.processes": PROCESSES.key})

    def request(self, row: Row, settings: InfobipSendSettings, previous_response: Row) -> Request:
        """Both are required."""
        body = {"name": need(row, "name"), "description": need(row, "description")}
        return Request("POST", PROCESS, json=body)

    def told(self, body: Row, row: Row, previous_response: Row) -> Outcome:
        """The process as the vendor made it, for `infobip.processes`."""
        process = {
            "key": key_of(body),
            "name": body.get("name"),
            "description": body.get("description"),
            "process_type": body.get("processType"),
        }
        table_row = {**process, "time_added": instant(body.get("timeAdded")), "extra": None}
        answer = {**process, "time_added": body.get("timeAdded")}
        return Outcome("sent", answer=answer, tables={"infobip.processes": [table_row]})


class Tags(InfobipTarget):
    """`infobip.tags`"""

    name = "infobip.tags"
    columns: Sequence[Column] = (
        Column("process_key", "of the process", required=True),
        Column("name", "of the tag"),
        Column("description", "of the tag"),
        Column("process_tag_type", "START_TAG or END_TAG; any other goes as it is written"),
    )
    keys: Mapping[str, Sequence[str]] = MappingProxyType({"infobip.tags": TAGS.key})

    def request(self, row: Row, settings: InfobipSendSettings, previous_response: Row) -> Request:
        """What is null is left out."""
        kind = text(row, "process_tag_type")
        body = {
            "name": text(row, "name"),
            "description": text(row, "description"),
            "processTagType": None if kind is None else TAG_TYPES.get(kind.strip().lower(), kind),
        }
        return Request("POST", f"{process_path(row)}/tag", json=set_only(body))

    def told(self, body: Row, row: Row, previous_response: Row) -> Outcome:
        """The tag as the vendor made it, for `infobip.tags`."""
        tag = {
            "process_key": need_identifier(row, "process_key"),
            "key": key_of(body),
            "name": body.get("name"),
            "description": body.get("description"),
            "process_tag_type": body.get("processTagType"),
        }
        return Outcome("sent", answer=tag, tables={"infobip.tags": [{**tag, "extra": None}]})


class Logs(InfobipTarget):
    """`infobip.logs`"""

    name = "infobip.logs"
    columns: Sequence[Column] = (
        Column("process_key", "of the process", required=True),
        Column("process_tag_key", "of the tag that was passed"),
        Column(
            "process_log_key",
            "of the subscriber, as a tracked message returned it; else the vendor makes one",
        ),
        Column("country_code", "as the vendor writes it, US"),
        Column("os_type", ", ".join(OS_TYPES)),
    )

    def request(self, row: Row, settings: InfobipSendSettings, previous_response: Row) -> Request:
        """What is null is left out."""
        body = {
            "processLogKey": identifier(row, "process_log_key"),
            "processTagKey": identifier(row, "process_tag_key"),
            "countryCode": text(row, "country_code"),
            "osType": _os_type(row),
        }
        return Request("POST", f"{process_path(row)}/log", json=set_only(body))

    def told(self, body: Row, row: Row, previous_response: Row) -> Outcome:
        """`addCount` above 1: the vendor had this log already. It stands, is said, and kept as `duplicate`."""
        count = body.get("addCount")
        duplicate = isinstance(count, int) and not isinstance(count, bool) and count > 1
        answer = {
            "key": key_of(body),
            "process_key": body.get("processKey"),
            "process_tag_key": body.get("processTagKey"),
            "time_added": body.get("timeAdded"),
            "add_count": count,
            "duplicate": duplicate,
        }
        return Outcome(
            "sent", f"a duplicate at the vendor: addCount is {count}" if duplicate else None, answer
        )


def process_path(row: Row) -> str:
    """The address of the row's process."""
    key = need_identifier(row, "process_key")
    if key in (".", ".."):
        raise RowRefusedError("process_key is no key of a process.")
    return f"{PROCESS}/{quote(key, safe='')}"


def _os_type(row: Row) -> str | None:
    """The constant, from either spelling."""
    given = text(row, "os_type")
    if given is None:
        return None
    constant = given.strip().upper().replace(" ", "_")
    if constant not in {one.upper().replace(" ", "_") for one in OS_TYPES}:
        raise RowRefusedError(f"os_type is none of {', '.join(OS_TYPES)}.")
    return constant


def set_only(body: Row) -> Document:
    """Without what is null."""
    return {name: value for name, value in body.items() if value is not None}


def key_of(body: Row) -> str:
    """The key that the vendor gave; without it, what was made cannot be found again."""
    key = body.get("key")
    if not isinstance(key, str) or not key:
        raise InvalidResponseError("Infobip took the request, but its answer has no key.", status=200)
    return key


def instant(written: object) -> datetime | None:
    """UTC, from `2015-03-19T09:21:57.934+0100`; None for what is not so written."""
    try:
        return INSTANT.strict(written)
    except ValueError:
        return None
