"""Tells a program or an address of the user's, as JSON, what a person should act on.

The document, version 1: `event` ("alert"), `version`, `test`, `at` (UTC), `warehouse`, `exit_code` (of a nightly run,
else null), `text` (one paragraph, which chat services show as it is) and `problems`: each with `kind` (failure, stale,
incomplete, short, volume_drop, new_fields, rejected, in_doubt), `source`, `text` and the kind's own figures. It holds
no secret. What cannot be delivered changes nothing but what is said of it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pendulum

from conversync import children
from conversync.errors import ConversyncError, SettingsError, VendorError
from conversync.http.client import Client, Limits
from conversync.http.origin import parse_origin
from conversync.http.redact import for_chat
from conversync.http.secret import check_secret
from conversync.http.strictjson import dumps
from conversync.monitor.problems import Problem
from conversync.settings import lookup
from conversync.types import Document
from conversync.warehouse import files
from conversync.warehouse.warehouse import Warehouse

TOLD = frozenset(
    {"failure", "stale", "incomplete", "short", "volume_drop", "new_fields", "rejected", "in_doubt"}
)
MADE_UP = Problem("failure", "conversync", "conversync: this is a test of the alert; nothing is wrong.")
NOWHERE = (
    "nobody is told: set alert_command in .dlt/config.toml (CONVERSYNC_ALERT_COMMAND), or alert_webhook in "
    ".dlt/secrets.toml (CONVERSYNC_ALERT_WEBHOOK)."
)
# A program, or a service, that does not answer must not hold up the night.
PATIENCE = 60.0
LIMITS = Limits(
    connect_timeout=5,
    read_timeout=15,
    request_deadline=30,
    refused_budget=10,
    http_budget=20,
    body_bytes=1 << 20,
    distrust_attempts=0,
)


@dataclass(frozen=True)
class Channels:
    """Where an alert goes: a program and its arguments, an https address, both, or neither."""

    command: tuple[str, ...] = ()
    webhook: str | None = None

    def __bool__(self) -> bool:
        return bool(self.command or self.webhook)


def channels() -> Channels:
    """As set. The address is a secret, for many hold a token: the environment or secrets.toml may have it only."""
    import dlt

    given = lookup.preference("alert_command", "CONVERSYNC_ALERT_COMMAND") or ""
    try:
        command = tuple(shlex.split(given))
    except ValueError as error:
        raise SettingsError(f"alert_command cannot be read as a command line ({error}).") from None
    webhook = os.environ.get("CONVERSYNC_ALERT_WEBHOOK") or dlt.secrets.get("alert_webhook", str)
    if webhook is None and dlt.config.get("alert_webhook", str) is not None:
        raise SettingsError("alert_webhook is a secret: move it from .dlt/config.toml to .dlt/secrets.toml.")
    if webhook is not None:
        check_secret("alert_webhook", webhook)
        parse_origin(webhook.partition("?")[0], "alert_webhook")
    return Channels(command, webhook)


def document(
    warehouse: Warehouse, problems: Sequence[Problem], *, exit_code: int | None = None, test: bool = False
) -> Document:
    """What is sent. What others wrote is in its texts; a chat service that shows them obeys nothing in them."""
    told = {
        "event": "alert",
        "version": 1,
        "test": test,
        "at": pendulum.now("UTC").isoformat(timespec="seconds"),
        "warehouse": str(warehouse),
        "exit_code": exit_code,
        "text": " ".join(problem.text for problem in problems),
        "problems": [problem.fields() for problem in problems],
    }
    return {name: _clean(value) for name, value in told.items()}


def _clean(value: object) -> Any:
    if isinstance(value, str):
        return for_chat(value)
    if isinstance(value, dict):
        return {for_chat(name): _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value


def deliver(told: Document, chosen: Channels) -> list[str]:
    """Sends it everywhere; a sentence for each place where it did not arrive. Raises nothing that went wrong there."""
    return list(_failures(told, chosen))


def _failures(told: Document, chosen: Channels) -> Iterator[str]:
    if chosen.command and (reason := _run(chosen.command, dumps(told))):
        yield f"The alert did not arrive: the program {chosen.command[0]} {reason}."
    if chosen.webhook and (reason := _post(chosen.webhook, told)):
        yield f"The alert did not arrive: {_host(chosen.webhook)}, the host in alert_webhook, {reason}."


def _run(command: Sequence[str], body: bytes) -> str | None:
    """Runs it without a shell, the JSON on its standard input; what it prints goes to our standard error."""
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own program
            command,
            input=body,
            stdout=2,
            stderr=2,
            env=children.users(),
            umask=files.before(),
            cwd=lookup.project_dir(),
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {PATIENCE:g} seconds"
    except OSError as error:
        return f"could not be started ({error.strerror})"
    except ValueError:
        return "could not be started (its name holds a null character)"
    if ended.returncode < 0:
        return f"was ended by signal {-ended.returncode}"
    return f"ended with exit code {ended.returncode}" if ended.returncode else None


def _post(webhook: str, told: Document) -> str | None:
    """One POST through the client of all vendors: no redirect is followed. Of the address only its host is told."""
    parts = urlsplit(webhook)
    try:
        with Client(
            f"{parts.scheme}://{parts.netloc}",
            vendor="The webhook",
            headers={"Accept": "*/*"},
            credentials_hint="Check alert_webhook in .dlt/secrets.toml or CONVERSYNC_ALERT_WEBHOOK.",
            limits=LIMITS,
        ) as client:
            client.request(
                "POST",
                parts.path or "/",
                params=parse_qsl(parts.query, keep_blank_values=True),
                json=told,
                label="(alert_webhook)",
                decode=lambda _answer: None,
            )
    except VendorError as error:
        if error.status is not None:
            return f"answered {error.status}"
        return "did not answer" if error.sent else "cannot be reached"
    except (ConversyncError, ValueError):
        return "is no address that can be asked"
    return None


def _host(webhook: str) -> str:
    return urlsplit(webhook).hostname or "?"
