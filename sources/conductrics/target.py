# ruff: noqa: ARG002 - every target takes what the interface gives it
"""Conductrics: goal types, created, updated in part, and deleted.

The vendor's document ("Goal Management API"): PUT, or DELETE,

    /admin/{account}/goals/goal/{code}

with the key in the header `x-conductrics-apikey`. A new goal needs `code`, `name` and `agents`; "you may provide a
partial document" for one that exists. "The list of agent codes in the array you provide replaces the list of current
agents": the plan says which ones would be lost. Both may be repeated, and the last PUT is what stands. The body of
an answer has a `status` of its own, which counts as HTTP's does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue

from conversync.errors import SettingsError
from conversync.http.client import Client, Limits, Response
from conversync.http.rejection import body_status, document, is_page
from conversync.http.strictjson import dumps
from conversync.send import target_settings
from conversync.send.response_words import ResponseReader
from conversync.send.target import Column, Outcome, Request, Row, RowRefusedError, Target
from conversync.send.values import flag, need_identifier, number, text, texts, whole
from conversync.types import Document

DOCUMENTED = "https://api-v3.conductrics.com"
HINT = "Check conductrics_api_key in .dlt/secrets.toml or CONDUCTRICS_API_KEY."
# "only numbers, letters, slashes, and underscores (up to 100 characters)"; the samples' codes have dashes, too.
CODE = re.compile(r"[A-Za-z0-9/_-]{1,100}")
MOST_NAME = 50
GOAL_AGENTS = "conductrics.goal_agents"


@configspec
class ConductricsSendSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`: those of the source."""

    conductrics_api_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    conductrics_account: str = None  # type: ignore[assignment] # as above
    conductrics_url: str = DOCUMENTED
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        target_settings.key("conductrics_api_key", self.conductrics_api_key)
        if self.conductrics_account.strip() in ("", ".", ".."):
            raise SettingsError("conductrics_account is empty: it stands under Developers > API Info & Keys.")
        target_settings.check_budget(self.http_budget)
        Goals().client(self).close()  # refuses an address or a key that no request can carry


def goal(row: Row) -> Document:
    """The body of a PUT, within the documented limits: what is not null.

    With a name and agents it may create the goal, and then needs its `code`; else it is a partial document.
    """
    code = need_identifier(row, "code")
    if not CODE.fullmatch(code):
        raise RowRefusedError(
            "code may hold letters, digits, slashes, underscores and dashes, up to 100 characters."
        )
    given = {
        "name": _name(row),
        "agents": texts(row, "agents"),
        "countMax": _count_max(row),
        **_values(row),
    }
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        raise RowRefusedError("every column but code is null: there is nothing to put.")
    return {"code": code, **body} if "name" in body and "agents" in body else body


def _name(row: Row) -> str | None:
    if row.get("name") is None:
        return None
    name = text(row, "name")
    if name is None or len(name) > MOST_NAME:
        raise RowRefusedError(f"name must have 1 to {MOST_NAME} characters.")
    return name


def _count_max(row: Row) -> int | None:
    count_max = whole(row, "count_max")
    if count_max is not None and count_max < 1:
        raise RowRefusedError("count_max must be a positive whole number.")
    return count_max


def _values(row: Row) -> Document:
    least, most = number(row, "value_min"), number(row, "value_max")
    if least is None and most is None:
        return {}
    if least is None or most is None:
        raise RowRefusedError("value_min and value_max must be given together, or neither.")
    if most <= least:
        raise RowRefusedError("value_max must be greater than value_min.")
    return {"valueMin": least, "valueMax": most}


class Goals(Target):
    """`conductrics.goals`"""

    name = "conductrics.goals"
    settings: type[Any] = ConductricsSendSettings
    columns: Sequence[Column] = (
        Column("code", "of the goal", required=True),
        Column("name", f"up to {MOST_NAME} characters; a new goal needs one"),
        Column("agents", "a JSON list of agent codes, which replaces the present one; a new goal needs one"),
        Column("count_max", "how often it counts for a visitor and agent, 1 or more"),
        Column("value_min", "the least value that is taken; with value_max"),
        Column("value_max", "the greatest"),
        Column("deleted", "true deletes the goal; the other columns are then not looked at"),
    )
    reads: Sequence[str] = (GOAL_AGENTS,)
    retractable: bool = True

    def client(self, settings: ConductricsSendSettings) -> Client:
        """With the key in its header and never in the query, which is logged."""
        return Client(
            settings.conductrics_url,
            vendor="Conductrics",
            headers={"x-conductrics-apikey": str(settings.conductrics_api_key)},
            credentials_hint=HINT,
            credential="API key",
            limits=Limits(http_budget=settings.http_budget),
        )

    def request(self, row: Row, settings: ConductricsSendSettings, previous_response: Row) -> Request:
        """PUT, or DELETE; the code is encoded whole, slashes included."""
        deleted, code = flag(row, "deleted"), need_identifier(row, "code")
        if code in (".", ".."):
            raise RowRefusedError("code is no code of a goal.")
        body = None if deleted else goal(row)
        path = f"/admin/{quote(settings.conductrics_account, safe='')}/goals/goal/{quote(code, safe='')}"
        return Request("DELETE" if deleted else "PUT", path, json=body, identity=self.identity(row))

    def identity(self, row: Row) -> str | None:
        """`["code"]`. A goal is not taken back by deleting it, which would delete its history: a row says `deleted`."""
        return dumps([need_identifier(row, "code")]).decode()

    def withdraws(self, row: Row) -> bool:
        """A deleted goal counts no more."""
        return flag(row, "deleted")

    def outcome(
        self,
        answer: Response,
        row: Row,
        settings: ConductricsSendSettings,
        previous_response: Row,
    ) -> Outcome:
        """To delete a goal that is not there is no failure."""
        ear = ResponseReader("Conductrics", HINT, (str(settings.conductrics_api_key),))
        gone = not is_page(answer) and 404 in (answer.status, body_status(document(answer), answer.status))
        if gone and flag(row, "deleted"):
            return Outcome("sent", "it was gone already (404)")
        return ear.rejection(answer) or Outcome("sent")

    def is_idempotent(self, row: Row, settings: ConductricsSendSettings) -> bool:
        """PUT and DELETE come to the same, however often."""
        return True

    def is_updatable(self, row: Row, settings: ConductricsSendSettings) -> bool:
        """The last PUT is what stands."""
        return True

    def group(self, row: Row) -> str | None:
        """What is done to a goal is done in its order."""
        return None if row.get("code") is None else str(row["code"])

    def warnings(self, row: Row, known: Mapping[str, Sequence[Row]]) -> Sequence[str]:
        """The agents that the goal would lose, and that a goal would be deleted."""
        code = self.group(row)
        has = {str(one["agent"]) for one in known.get(GOAL_AGENTS, ()) if one["code"] == code}
        try:
            deleted, agents = flag(row, "deleted"), texts(row, "agents")
        except RowRefusedError:
            return ()
        if deleted:
            return (f"goal {code} is deleted" + (f", and leaves {_named(has)}" if has else ""),)
        lost = set() if agents is None else has - set(agents)
        return (f"goal {code} loses {_named(lost)}: agents replaces the whole list",) if lost else ()


def _named(agents: set[str]) -> str:
    return f"the agent{'s' if len(agents) > 1 else ''} {', '.join(sorted(agents))}"
