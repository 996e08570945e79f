"""`conversync mcp`, asked by the protocol's own client over stdin and stdout: it reads, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client

from tests.process.support import CONVERSYNC, Place

Asking = Callable[[ClientSession], Awaitable[Any]]


def session(place: Place, asking: Asking, **env: str) -> Any:
    """What is asked of a server of its own, which then ends."""

    async def run() -> Any:
        server = StdioServerParameters(
            command=str(CONVERSYNC), args=["mcp"], env={**place.env, **env}, cwd=str(place.folder)
        )
        async with stdio_client(server) as (read, write), ClientSession(read, write) as client:
            await client.initialize()
            return await asking(client)

    return anyio.run(run)


def tools(place: Place, *asked: tuple[str, dict[str, object]]) -> list[tuple[bool, str]]:
    """Of each tool that is asked, one after the other, whether it refused, and the text of its answer."""

    async def asking(client: ClientSession) -> list[tuple[bool, str]]:
        answers = [await client.call_tool(name, arguments) for name, arguments in asked]
        return [
            (bool(one.is_error), "".join(getattr(part, "text", "") for part in one.content))
            for one in answers
        ]

    return list(session(place, asking))


def answers(place: Place, *asked: tuple[str, dict[str, object]]) -> list[Any]:
    """The documents that tools answer, each of its own."""
    found = tools(place, *asked)
    assert [told for refused, told in found if refused] == []
    return [json.loads(told) for _, told in found]


def files(place: Place) -> dict[str, str]:
    """The fingerprint of every file of the project."""
    return {
        str(path.relative_to(place.folder)): sha256(path.read_bytes()).hexdigest()
        for path in place.folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def loaded(shared: Place) -> Place:
    """A night, published."""
    shared.loaded()
    return shared


def test_its_tools_only_read_and_say_so(loaded: Place) -> None:
    """Five of them, each with a sentence; nothing of the project is another one after all were asked."""

    async def asking(client: ClientSession) -> Any:
        return (await client.list_tools()).tools

    found = session(loaded, asking)
    assert {one.name for one in found} == {"status", "books", "explain", "as_of", "query"}
    assert all(one.description and one.annotations.read_only_hint for one in found)
    before = files(loaded)
    now = datetime.now(UTC).isoformat()
    days = {"first_day": "2000-01-01", "last_day": "2100-01-01"}
    sums = (
        "select currency, sum(net_payout), cast(min(transaction_id) as varchar) from besitos.conversions "
        "where not is_orphan group by all order by 1"
    )
    status, told, known, books = answers(
        loaded,
        ("status", {}),
        ("query", {"sql": sums}),
        ("as_of", {"vendor": "besitos", "moment": now, **days}),
        ("books", {}),
    )
    assert [one["source"] for one in status["sources"]] == ["besitos"]
    assert [[row[0], row[4]] for row in known["rows"]] == [row[:2] for row in told["rows"]] != []
    assert known["read_from"] == "the published copy"
    assert books == {"periods": []}
    [life] = answers(loaded, ("explain", {"transaction_id": told["rows"][0][2]}))
    assert life["transaction_id"] == told["rows"][0][2]
    assert life["vendors"][0]["statements"]
    assert files(loaded) == before


REFUSED = {
    "drop table besitos.conversion_events": "SELECT",
    "insert into besitos.windows select * from besitos.windows": "SELECT",
    "select * from read_text('.dlt/secrets.toml')": "no file",
    "select * from 'secrets.csv'": "disabled",
    "copy (select 1) to 'x.csv'": "SELECT",
    "select getenv('BESITOS_TOKEN')": "getenv",
    "select nothing from besitos.conversions": "nothing",
    "select 1; select 2": "SELECT",
    "pragma import_database('.dlt')": "SELECT",
    "import database '.dlt'": "SELECT",
    " /* a */ PRAGMA database_list": "SELECT",
}


def test_it_writes_nothing_and_sees_no_file(loaded: Place) -> None:
    """Each is refused with a sentence, without the token."""
    before = files(loaded)
    asked: list[tuple[str, dict[str, object]]] = [("query", {"sql": sql}) for sql in REFUSED]
    for (sql, words), (refused, told) in zip(REFUSED.items(), tools(loaded, *asked), strict=True):
        assert refused, (sql, told)
        assert words in told
        assert loaded.env["BESITOS_TOKEN"] not in told
    assert files(loaded) == before


@pytest.mark.more
def test_its_answers_are_bounded_and_its_refusals_are_sentences(loaded: Place) -> None:
    """At most 500 rows, and it says that there were more; what cannot be meant is told, no option smuggled in."""
    [many] = answers(loaded, ("query", {"sql": "select * from range(1000)"}))
    assert (len(many["rows"]), many["more"]) == (500, True)
    days: dict[str, object] = {"first_day": "2026-01-01", "last_day": "2026-02-01"}
    asked: list[tuple[str, dict[str, object], str]] = [
        ("as_of", {"vendor": "besito", "moment": "2026-01-01T00:00:00Z", **days}, "besitos"),
        ("as_of", {"vendor": "besitos", "moment": "yesterday' or 1=1 --", **days}, "yesterday"),
        ("explain", {"transaction_id": "no-such"}, "Nobody knows"),
        ("explain", {"transaction_id": "--warehouse=/dev/null"}, "Nobody knows"),
        ("explain", {}, "Say one of"),
        ("books", {"period": "2026"}, "is no period"),
    ]
    found = tools(loaded, *((name, arguments) for name, arguments, _ in asked))
    for (name, arguments, words), (refused, told) in zip(asked, found, strict=True):
        assert refused, (name, arguments, told)
        assert words in told, (name, arguments, told)
        assert "Traceback" not in told


@pytest.mark.more
def test_without_a_warehouse_it_says_so(shared: Place) -> None:
    """As a sentence of the tool's."""
    [(refused, told)] = tools(shared, ("status", {}))
    assert (refused, "There is no warehouse at" in told) == (True, True), told
