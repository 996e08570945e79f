"""B09: a vendor that lets a few requests through at a time is read to its end, without bumping into its limit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from conversync.errors import UnavailableError
from conversync.http.client import Client, Response
from conversync.http.quota import reset_after
from conversync.sandbox import Fault, Sandbox, World
from tests.http.conftest import MakeClient
from tests.http.server import Server, Talk, reply

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


class Throttle:
    """`limit` requests in `window` seconds, as Laravel counts them: from the first one on; then 429."""

    def __init__(self, limit: int, window: float, *, told: bool = True, reset: bool = False) -> None:
        self.limit, self.window, self.told, self.reset = limit, window, told, reset
        self.refused = self.taken = 0
        self._lock = threading.Lock()
        self._count, self._ends = 0, 0.0

    def __call__(self, talk: Talk) -> None:
        with self._lock:
            now = time.monotonic()
            if now >= self._ends:
                self._count, self._ends = 0, now + self.window
            self._count += 1
            over, left = self._count > self.limit, self._ends - now + 0.005
            self.refused += over
            self.taken += not over
            headers: dict[str, object] = {}
            if self.told:
                headers["X_RateLimit_Limit"] = self.limit
                headers["X_RateLimit_Remaining"] = max(0, self.limit - self._count)
            if self.reset:
                headers["X_RateLimit_Reset"] = f"{left:.3f}"
            if over:
                headers["Retry_After"] = f"{left:.3f}"
        reply(b'{"message": "Too Many Attempts."}' if over else b"1", 429 if over else 200, **headers)(talk)


def read(client: Client, pages: int, threads: int = 4) -> list[bytes]:
    def page(number: int) -> bytes:
        return client.get("/", {"page": str(number)}, lambda answer: answer.body)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(page, range(pages)))


def test_b09_the_budget_counts_from_the_last_page_that_came(make_client: MakeClient) -> None:
    """A listing that takes four times the budget in waits is read to its end, for its pages keep coming."""
    with Server(throttle := Throttle(10, 0.5, told=False)) as server:
        client = make_client(server.origin, http_budget=0.6, retry_after_cap=1)
        start = time.monotonic()
        assert read(client, 50) == [b"1"] * 50
        assert time.monotonic() - start > 4 * 0.4
        assert throttle.refused >= 4
        assert client.throttled


def test_b09_a_vendor_that_stays_away_still_ends_within_the_budget(make_client: MakeClient) -> None:
    """Pages that came before are no reason to wait for ever."""
    with Server(reply(b"1"), reply(b"1"), reply(b"", 503)) as server:
        client = make_client(server.origin, http_budget=0.3)
        assert read(client, 2) == [b"1"] * 2
        start = time.monotonic()
        with pytest.raises(UnavailableError):
            read(client, 1)
        assert 0.2 < time.monotonic() - start < 1.5


def test_b09_a_told_limit_is_kept_rather_than_bumped_into(make_client: MakeClient) -> None:
    """With Remaining and Reset: not one 429, whichever thread asks, and no window is left unused."""
    with Server(throttle := Throttle(8, 0.4, reset=True)) as server:
        client = make_client(server.origin, http_budget=0.5, retry_after_cap=5)
        assert client.get("/", {}, lambda answer: answer.body) == b"1"
        start = time.monotonic()
        assert read(client, 39) == [b"1"] * 39
        assert (throttle.refused, throttle.taken) == (0, 40)
        assert 4 * 0.4 <= time.monotonic() - start + 0.4 < 4 * 0.4 + 2
        assert client.throttled


def test_b09_without_a_reset_one_request_goes_ahead_to_hear_it(make_client: MakeClient) -> None:
    """Laravel tells when only with the 429: one request a window is turned away, not one of every thread."""
    with Server(throttle := Throttle(8, 0.4)) as server:
        client = make_client(server.origin, http_budget=2, retry_after_cap=5)
        assert client.get("/", {}, lambda answer: answer.body) == b"1"
        assert read(client, 31, threads=8) == [b"1"] * 31
        assert throttle.taken == 32
        assert 1 <= throttle.refused <= 6


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_RateLimit_Limit": 60, "X_RateLimit_Remaining": 60, "X_RateLimit_Reset": 60},
        {"X_RateLimit_Remaining": "many", "X_RateLimit_Reset": 60},
        {"X_RateLimit_Remaining": -1, "X_RateLimit_Reset": 60},
        {"X_RateLimit_Reset": 60},
    ],
    ids=["none", "enough", "junk", "negative", "no-count"],
)
def test_b09_nobody_waits_who_need_not(make_client: MakeClient, headers: dict[str, object]) -> None:
    """No header, requests left, or nothing that can be read: side by side as ever."""

    def slow(talk: Talk) -> None:
        time.sleep(0.05)
        reply(b"1", 200, **headers)(talk)

    with Server(slow) as server:
        client = make_client(server.origin)
        start = time.monotonic()
        assert read(client, 16, threads=8) == [b"1"] * 16
        assert time.monotonic() - start < 16 * 0.05
        assert not client.throttled


def test_b09_a_reset_beyond_all_patience_is_for_the_429_to_say(make_client: MakeClient) -> None:
    """A day's quota is not slept through: the vendor is asked, and what it says counts against the budget."""
    with Server(
        reply(b"1", X_RateLimit_Remaining=0, X_RateLimit_Reset=40_000), reply(b"", 429, Retry_After=40_000)
    ) as server:
        client = make_client(server.origin)
        read(client, 1)
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="limiting our rate"):
            read(client, 1)
        assert time.monotonic() - start < 2


def test_b09_a_429_without_retry_after_is_waited_for_until_its_reset(make_client: MakeClient) -> None:
    """The two headers say the same."""
    with Server(reply(b"", 429, X_RateLimit_Reset="0.25"), reply(b"1")) as server:
        assert read(make_client(server.origin), 1) == [b"1"]
        assert server.asked[1].at - server.asked[0].at >= 0.25


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("2.5", 2.5),
        (f"{NOW.timestamp() + 40:.0f}", 40.0),
        (f"{(NOW.timestamp() + 40) * 1000:.0f}", 40.0),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40.0),
        (f"{NOW.timestamp() - 40:.0f}", None),
        ("301", None),
        *((junk, None) for junk in ("0", "-5", "soon", "", "nan", "٣", "9" * 500)),
    ],
)
def test_b09_a_reset_is_read_as_seconds_moment_or_date(value: str, seconds: float | None) -> None:
    """By the vendor's own clock; what is junk, past or too far off holds nobody up."""
    answer = Response(200, {"X-RateLimit-Reset": value, "Date": format_datetime(NOW, usegmt=True)}, b"")
    assert reset_after(answer.headers, cap=300) == seconds


def test_b05_what_is_hurried_shares_one_budget(make_client: MakeClient) -> None:
    """Failures with answers between them: waited for in all as long as one, then each is asked for once."""
    with Sandbox(World(days=1)) as sandbox:
        failing = sandbox.faults.add(Fault(path="/failing", status=500))
        fine = sandbox.faults.add(Fault(path="/fine", body=b"{}"))
        limits = {"http_budget": 1.0, "short_budget": 0.5, "backoff": 0.1, "backoff_cap": 0.1}
        client = make_client(sandbox.url, **limits)
        client.hurried = True
        began = time.monotonic()
        for _ in range(6):
            with pytest.raises(UnavailableError, match="500"):
                client.get("/failing", {}, lambda answer: answer.body)
            client.get("/fine", {}, lambda answer: answer.body)
        before = failing.delivered
        with pytest.raises(UnavailableError, match="500"):
            client.get("/failing", {}, lambda answer: answer.body)
        assert (failing.delivered, fine.delivered) == (before + 1, 6)
        assert time.monotonic() - began > 0.8


def test_b05_a_hurried_client_waits_for_the_short_budget_alone(make_client: MakeClient) -> None:
    """What a vendor fails at for good is not waited for as long at every half of it; and as ever when that is over."""
    with Server(reply(b"{}", 500)) as server:
        client = make_client(server.origin, http_budget=600.0, short_budget=0.3, backoff=0.2, backoff_cap=2.0)
        client.hurried = True
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="500"):
            client.get("/", {}, lambda answer: answer.body)
        assert 0.1 < time.monotonic() - began < 30
        client.hurried = False
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.get, "/", {}, lambda answer: answer.body)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=1)
            client.close()
            with pytest.raises(UnavailableError, match="stopped"):
                waiting.result(timeout=30)
