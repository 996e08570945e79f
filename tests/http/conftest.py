"""Clients with tiny limits, all of them closed at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from conversync.http.client import Client, Limits

TINY = Limits(
    connect_timeout=0.3,
    read_timeout=0.3,
    request_deadline=0.6,
    refused_budget=0.4,
    http_budget=0.5,
    backoff=0.01,
    backoff_cap=0.02,
    retry_after_cap=0.3,
)

HINT = "Check besitos_token in .dlt/secrets.toml or BESITOS_TOKEN."
TOKEN = "canary-5f0e1c"

MakeClient = Callable[..., Client]


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeClient]:
    """`make_client(origin, **limits)`: a client of Besitos with those limits changed."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    made: list[Client] = []

    def make(origin: str, **limits: Any) -> Client:
        client = Client(
            origin,
            vendor="Besitos",
            headers={"Authorization": f"Bearer {TOKEN}"},
            credentials_hint=HINT,
            limits=replace(TINY, **limits),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
