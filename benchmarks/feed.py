"""The Besitos feed the contestants read: every page rendered beforehand, served from memory.

Run as a process of its own, so that its CPU is nobody's: `python -m benchmarks.feed --rows 100000`. It
prints one JSON line (its address and the totals a loaded table must show) once it listens, and leaves when
its stdin closes, so that it cannot outlive the benchmark.

What it promises: 1,000 rows a page, Laravel's envelope with links that carry the page number alone, both
kinds of event without `is_reverse` and the reversals alone with `is_reverse=true`, 401 without the token.
Whatever it could only answer wrongly (another page size, part of the period, another filter) is a 422: a
contestant that asks for less than the others must fail, not win.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

TOKEN = "benchmark-token"  # noqa: S105 - the feed is on loopback and made up
PATH = "/data/partner/conversions"
FIRST_DAY, LAST_DAY = "2024-12-01", "2024-12-20"
PER_PAGE = 1000
REVERSED_SHARE = 0.03
SEND_BUFFER = 1 << 20  # a whole page (about 267 KB) leaves in one write


@dataclass(frozen=True)
class Totals:
    """What a correct table holds: sums are decimal text, exact to the last place."""

    rows: int
    reversals: int
    payout: str
    reward: str
    page_bytes: int
    """The size of the first page's JSON."""


@dataclass
class Story:
    """The rows as JSON text in feed order, the reversals among them, and their sums in thousandths."""

    rows: list[str]
    reversals: list[str]
    payout: int
    reward: int

    def totals(self, page_bytes: int) -> Totals:
        """The sums as exact decimal text."""
        sums = thousandths(self.payout), thousandths(self.reward)
        return Totals(len(self.rows), len(self.reversals), *sums, page_bytes)


def thousandths(value: int) -> str:
    """An integer count of thousandths as the shortest decimal text: 11050 -> 11.05, 40000 -> 40."""
    whole, rest = divmod(value, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def catalogue(rng: random.Random) -> list[tuple[str, str]]:
    """Four hundred offers: an id of twelve characters and a name."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    first = (
        "Club Vegas",
        "Coin",
        "Family",
        "Merge",
        "Dragon",
        "Royal",
        "Solitaire",
        "Bubble",
        "Raid",
        "Puzzle",
    )
    second = ("Slots", "Master", "Island", "Mansion", "City", "Match", "Kingdom", "Quest", "Farm", "Legends")
    third = ("", " 2", " Deluxe", ": Gold Rush Edition")
    names = [f"{a} {b}{c}" for a in first for b in second for c in third]
    return [("".join(rng.choices(letters, k=12)), name) for name in names]


def write_story(count: int, seed: int = 7) -> Story:
    """A seeded log of events: ids and times grow, a reversal repeats an id some hundred rows on."""
    rng = random.Random(seed)
    offers = catalogue(rng)
    payouts = sorted({rng.choice((5, 25, 50, 250)) * rng.randint(1, 400) for _ in range(80)})
    rewards = sorted({500 * rng.randint(1, 60) for _ in range(40)})
    start = datetime.fromisoformat(FIRST_DAY)
    step = (datetime.fromisoformat(LAST_DAY) + timedelta(days=1) - start) / (count + 1)
    story = Story([], [], 0, 0)
    waiting: list[tuple[int, str, int, int, int]] = []  # (row it is due at, head, payout, reward, id)
    transaction = 2_601_266
    for position in range(count):
        when = (start + step * position).isoformat(" ", "seconds")
        if waiting and waiting[0][0] <= position:
            _, head, payout, reward, number = waiting.pop(0)
            row = render(head, payout, reward, number, when, reverse=True)
            story.reversals.append(row)
        else:
            transaction += rng.randint(1, 4)
            user = rng.randrange(count // 6 + 1) * 0x9E3779B97F4A7C15 >> 20 & 0xFFFFFFFFFFF
            head, payout, reward = original(rng, f"u{user:011x}-{user % 97:02d}", offers, payouts, rewards)
            number = transaction
            row = render(head, payout, reward, number, when, reverse=False)
            if rng.random() < REVERSED_SHARE:
                waiting.append((position + 300, head, payout, reward, number))
        story.rows.append(row)
        story.payout += payout
        story.reward += reward
    return story


def original(
    rng: random.Random, user: str, offers: list[tuple[str, str]], payouts: list[int], rewards: list[int]
) -> tuple[str, int, int]:
    """What an event and its reversal share, as JSON text; its payout and its reward in thousandths."""
    offer, name = rng.choice(offers)
    goal = rng.randrange(140)
    if goal % 3 == 0:
        note, payout, reward = "Successfully Installed the App", rng.choice(payouts), 0
    elif goal % 3 == 1:
        note, payout, reward = f"Level {goal} Reached", rng.choice((0, *payouts)), rng.choice(rewards)
    else:
        note, payout, reward = f"Purchase no. {goal // 3} completed", rng.choice(payouts), rng.choice(rewards)
    about = f'"offer_id":"{offer}","offer_name":"{name}","note":"{note}","goal_id":"{offer}_{goal}"'
    return f'"user_id":"{user}",{about}', payout, reward


def render(head: str, payout: int, reward: int, number: int, when: str, *, reverse: bool) -> str:
    """One row as the document has it: `reverse` stands on reversals only."""
    flag = ',"reverse":1' if reverse else ""
    return (
        f'{{{head},"transaction_id":{number},"reward":{thousandths(reward)},"payout":{thousandths(payout)},'
        f'"date_time":"{when}","reward_local_currency":{thousandths(reward * 100)}{flag}}}'
    )


class Pages:
    """The answers to one filter, each a whole HTTP response, page 1 first; one empty page past the end."""

    def __init__(self, base: str, rows: list[str]) -> None:
        self.last = max(1, -(-len(rows) // PER_PAGE))
        self.total = len(rows)
        self.base = base
        self.answers = [
            answer(HTTPStatus.OK, self.body(n, part)) for n, part in enumerate(cut(rows), start=1)
        ]
        self.past_the_end = answer(HTTPStatus.OK, self.body(self.last + 1, []))

    def page(self, number: int) -> bytes:
        """The answer of page `number`; past the end Laravel sends an empty list, and so do we."""
        return self.answers[number - 1] if 1 <= number <= self.last else self.past_the_end

    def link(self, number: int) -> str | None:
        """Laravel's link: the page number, every filter forgotten; null where there is no such page."""
        return f"{self.base}?page={number}" if 1 <= number <= self.last else None

    def body(self, number: int, rows: list[str]) -> bytes:
        """The paginator's envelope around the rows."""
        first = (number - 1) * PER_PAGE + 1 if rows else None
        around = {
            "links": {
                "first": self.link(1),
                "last": self.link(self.last),
                "prev": self.link(number - 1),
                "next": self.link(number + 1),
            },
            "meta": {
                "current_page": number,
                "from": first,
                "last_page": self.last,
                "links": [
                    {"url": self.link(number - 1), "label": "&laquo; Previous", "active": False},
                    {"url": self.link(number), "label": str(number), "active": True},
                    {"url": self.link(number + 1), "label": "Next &raquo;", "active": False},
                ],
                "path": self.base,
                "per_page": PER_PAGE,
                "to": first + len(rows) - 1 if first else None,
                "total": self.total,
            },
        }
        return f'{{"data":[{",".join(rows)}],{json.dumps(around, separators=(",", ":"))[1:]}'.encode()


def cut(rows: list[str]) -> Iterator[list[str]]:
    """The rows a page holds, page after page; no rows make one empty page."""
    for start in range(0, max(1, len(rows)), PER_PAGE):
        yield rows[start : start + PER_PAGE]


def answer(status: HTTPStatus, body: bytes) -> bytes:
    """A whole HTTP/1.1 response that leaves the connection open."""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n".encode() + body


def refusal(status: HTTPStatus, message: str) -> bytes:
    """An error as Laravel words it."""
    return answer(status, json.dumps({"message": message}).encode())


class Feed:
    """What one request is answered with."""

    def __init__(self, base: str, story: Story) -> None:
        self.everything = Pages(base, story.rows)
        self.reversals = Pages(base, story.reversals)

    def reply(self, head: str) -> bytes:
        """The response to a request, given its request line and headers."""
        line, *fields = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        if f"Bearer {TOKEN}" not in (value.strip() for _, _, value in (f.partition(":") for f in fields)):
            return refusal(HTTPStatus.UNAUTHORIZED, "Unauthenticated.")
        url = urlsplit(target)
        if method != "GET" or url.path != PATH:
            return refusal(HTTPStatus.NOT_FOUND, f"No route {method} {url.path}")
        query = dict(parse_qsl(url.query))
        if complaint := self.complaint(query):
            return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, complaint)
        pages = self.reversals if "is_reverse" in query else self.everything
        return pages.page(int(query.get("page", "1")))

    def complaint(self, query: dict[str, str]) -> str | None:
        """Why this query cannot be answered with pages that were rendered beforehand, or None."""
        if query.get("per_page") != str(PER_PAGE):
            return f"This feed has pages of {PER_PAGE} rows only."
        if query.get("from_date", "9") > FIRST_DAY or query.get("to_date", "") < LAST_DAY:
            return f"This feed has the whole period {FIRST_DAY}..{LAST_DAY} only."
        if query.get("is_reverse", "true") not in {"1", "true"}:
            return "This feed knows is_reverse=true only."
        unknown = set(query) - {"from_date", "to_date", "per_page", "page", "is_reverse"}
        return f"This feed does not filter by {sorted(unknown)}." if unknown else None


class Connection(asyncio.Protocol):
    """One kept-alive connection: a request in, one write out (asyncio sets TCP_NODELAY itself)."""

    def __init__(self, feed: Feed, delay: float) -> None:
        self.feed = feed
        self.delay = delay
        self.waiting = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Makes room in the kernel for a whole page."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - tells mypy what TCP always is
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers every whole request; GET has no body, so a blank line ends one."""
        self.waiting += data
        while b"\r\n\r\n" in self.waiting and self.transport:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            answered = self.feed.reply(head.decode("latin-1"))
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, answered)
            else:
                self.transport.write(answered)


async def serve(story: Story, delay: float) -> None:
    """Listens on a free loopback port, announces it, and serves until stdin closes."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    feed = Feed(root + PATH, story)
    totals = story.totals(len(feed.everything.body(1, story.rows[:PER_PAGE])))
    story.rows.clear()
    story.reversals.clear()
    server = await loop.create_server(lambda: Connection(feed, delay), sock=listener)
    print(json.dumps({"url": root, **asdict(totals)}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """The command line: how many rows the feed holds, and how long an answer takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--delay", type=float, default=0, help="seconds from a request to its answer")
    asked = parser.parse_args()
    asyncio.run(serve(write_story(asked.rows), asked.delay))


if __name__ == "__main__":
    main()
