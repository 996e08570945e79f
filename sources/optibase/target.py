# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Optibase: a conversion of one tested user, triggered from the server.

The vendor's document ("Server-side Conversions"): POST the endpoint with `Content-Type: application/json` and

    {"publicApiKey": ..., "userFriendlyConversionId": ..., "testedUserId": ...}
    {"publicApiKey": ..., "userFriendlyConversionId": ..., "testedUserExternalId": ...}

It says nothing of the answer. We take 2xx for accepted, unless its JSON plainly says error; 409 for "already there";
any other 4xx as final for that row. Whether a repeat counts twice depends on how the conversion is set up there, so
nothing is ever sent twice on our own account, and nothing that was sent can be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from conversync.errors import SettingsError
from conversync.http.client import Client, Limits, Response
from conversync.http.origin import parse_origin
from conversync.send import target_settings
from conversync.send.response_words import ResponseReader
from conversync.send.target import Column, Outcome, Request, Row, RowRefusedError, Target
from conversync.send.values import identifier, need_identifier

DOCUMENTED = "https://app.optibase.io/api/script/conversionEvent"
HINT = "Check optibase_public_api_key in .dlt/secrets.toml or OPTIBASE_PUBLIC_API_KEY."
# What gives a secret key away. The document shows a public one, "clv3047v70dsat664sgrzwotq", and no secret one: a
# secret key that looks like that cannot be told from it.
SECRET_BEGINNINGS = ("sk_", "sk-", "private")


@configspec
class OptibaseSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. `optibase_url` is the whole endpoint."""

    optibase_public_api_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    optibase_url: str = DOCUMENTED
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        key = target_settings.key("optibase_public_api_key", self.optibase_public_api_key).lower()
        if key.startswith(SECRET_BEGINNINGS) or "secret" in key:
            raise SettingsError(
                "optibase_public_api_key looks like the Secret key, which must not be sent: take the Public one from "
                "https://app.optibase.io/apiKeys."
            )
        target_settings.check_budget(self.http_budget)
        _endpoint(self.optibase_url)


def _endpoint(url: str) -> tuple[str, str]:
    """Origin and path of the endpoint."""
    parse_origin(url, "optibase_url")
    parts = urlsplit(url)
    if not parts.path:
        raise SettingsError(f"optibase_url has no path: give the whole endpoint, such as {DOCUMENTED}.")
    return f"{parts.scheme}://{parts.netloc}", parts.path


def conversion(row: Row, public_api_key: str) -> dict[str, str]:
    """The body. A tested user is named by exactly one of the two ids."""
    ids = {
        "testedUserId": identifier(row, "tested_user_id"),
        "testedUserExternalId": identifier(row, "tested_user_external_id"),
    }
    given = {name: value for name, value in ids.items() if value is not None}
    if not given:
        raise RowRefusedError(
            "tested_user_id and tested_user_external_id are both missing: give one of them."
        )
    if len(given) > 1:
        raise RowRefusedError("tested_user_id and tested_user_external_id are both given: give one of them.")
    return {
        "publicApiKey": public_api_key,
        "userFriendlyConversionId": need_identifier(row, "conversion_id"),
        **given,
    }


class Conversions(Target):
    """`optibase.conversions`"""

    name = "optibase.conversions"
    settings: type[Any] = OptibaseSettings
    columns: Sequence[Column] = (
        Column(
            "conversion_id", "the User-Friendly Conversion ID of a Programmatic Conversion", required=True
        ),
        Column("tested_user_id", "window.optibaseTestedUserId, or ..."),
        Column("tested_user_external_id", "... the id given to optibaseSetTestedUserExternalId; not both"),
    )
    personal: Sequence[str] = ("tested_user_id", "tested_user_external_id")

    def client(self, settings: OptibaseSettings) -> Client:
        """No credential stands in a header: the public key travels in the body."""
        origin, _ = _endpoint(settings.optibase_url)
        return Client(
            origin,
            vendor="Optibase",
            headers={},
            credentials_hint=HINT,
            credential="public API key",
            limits=Limits(http_budget=settings.http_budget),
        )

    def request(self, row: Row, settings: OptibaseSettings, previous_response: Row) -> Request:
        """POST the endpoint."""
        key = str(settings.optibase_public_api_key)
        _, path = _endpoint(settings.optibase_url)
        return Request("POST", path, json=conversion(row, key), secrets=(key,))

    def outcome(
        self, answer: Response, row: Row, settings: OptibaseSettings, previous_response: Row
    ) -> Outcome:
        """Nothing of the answer is documented, so nothing of it is kept."""
        ear = ResponseReader("Optibase", HINT, (str(settings.optibase_public_api_key),))
        return ear.already(answer) or ear.rejection(answer) or Outcome("sent")

    def is_idempotent(self, row: Row, settings: OptibaseSettings) -> bool:
        """A repeat counts twice, unless the conversion is set up as one per visitor, which nobody tells us."""
        return False

    def is_updatable(self, row: Row, settings: OptibaseSettings) -> bool:
        """There is no way to change or to take back a conversion."""
        return False
