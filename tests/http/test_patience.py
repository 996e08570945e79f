"""A vendor that accepts and never answers, or drips, is waited for within one budget, and that is told."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from conversync.errors import UnavailableError
from conversync.http.client import Client, Response
from conversync.http.limits import Limits
from conversync.http.wait_budget import Account, one_run
from tests.http.conftest import MakeClient
from tests.http.server import Server, Step, Talk, drip, head, reply

# As in a night, but a second is a minute and more.
SLOW = {"read_timeout": 5.0, "request_deadline": 10.0, "http_budget": 0.6, "least_patience": 0.3}
SILENT: dict[str, Step] = {
    "silent": lambda talk: talk.hang(),
    "dripping-head": drip(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000, 0.02),
    "dripping-body": drip(head(Content_Length=1000), b"x" * 1000, 0.02),
}


def body(answer: Response) -> bytes:
    return answer.body


def get(client: Client, path: str = "/v1") -> bytes:
    return client.get(path, {}, body)


def by_path(**steps: Step) -> Step:
    """What a server does by the path that is asked for, which only the newest request tells."""
    server: list[Server] = []

    def step(talk: Talk) -> None:
        path = server[0].asked[-1].target.strip("/").partition("?")[0]
        steps[path](talk)

    step.server = server  # type: ignore[attr-defined]
    return step


@pytest.mark.quick(2)
@pytest.mark.parametrize("step", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("hurried", [False, True])
def test_l12_what_never_comes_is_waited_for_within_the_budget(
    make_client: MakeClient, step: Step, *, hurried: bool
) -> None:
    """Not for the deadline of each request, and not for another one at each question that follows."""
    with Server(step) as server:
        client = make_client(server.origin, **SLOW)
        client.hurried = hurried
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="did not answer GET /v1 in time"):
            get(client)
        assert 0.5 < time.monotonic() - began < 1.5
        for _ in range(2):
            with pytest.raises(UnavailableError):
                get(client)
        # By the clock of a request alone: 2 s are the least that any gets.
        assert time.monotonic() - began < 6.5


def test_l12_a_request_that_failed_counts_from_its_beginning(make_client: MakeClient) -> None:
    """An answer of 503 that took the whole budget is not asked for again."""

    def late(talk: Talk) -> None:
        time.sleep(0.4)
        reply(b"", 503)(talk)

    with Server(late) as server:
        with pytest.raises(UnavailableError, match="503"):
            get(make_client(server.origin, **SLOW | {"http_budget": 0.35, "least_patience": 1.0}))
        assert len(server.asked) == 1


def test_l12_threads_that_wait_at_the_same_time_are_counted_once(make_client: MakeClient) -> None:
    """Four requests that stall for 0.3 s each are 0.3 s of the budget."""
    limits = SLOW | {"http_budget": 1.2, "read_timeout": 0.3}
    with Server(*[SILENT["silent"]] * 4, reply(b"1")) as server, ThreadPoolExecutor(4) as pool:
        client = make_client(server.origin, **limits)
        assert list(pool.map(lambda _: get(client), range(4))) == [b"1"] * 4


def test_l12_an_answer_that_is_slow_and_comes_is_not_cut() -> None:
    """With the usual settings a request has its minute until the budget is used up, and after that what others took."""
    account, limits = Account(), Limits()
    assert (account.patience(limits, print, once=False).read, limits.read_timeout) == (60, 60)
    began = time.monotonic() - 590
    account.held.enter(began)
    account.gave_up(began, limits.http_budget)
    account.hurried = True
    assert account.patience(limits, print, once=False).read == 60
    account.held.enter(began - 20)
    for _ in range(5):
        account.gave_up(began - 20, limits.http_budget)
    assert account.patience(limits, print, once=True).read == 60
    assert account.patience(limits, print, once=False).read < 5
    assert Account().patience(Limits(http_budget=0), print, once=False).read == 10
    for _ in range(10):
        account.gave_up(began - 20, limits.http_budget)
    assert account.patience(limits, print, once=False).read == 2, "of a vendor that answered nothing yet"
    account.took(0.02)
    assert account.patience(limits, print, once=False).read == 0.3, "of one that answers others at once"
    assert account.patience(limits, print, once=True).read == 60
    account.took(0.1)
    assert account.patience(limits, print, once=False).read == 1, "ten times as long as the slowest"
    account.took(25)
    assert account.patience(limits, print, once=False).read == 50, "twice as long as the slowest that came"


def test_l12_many_broken_pages_are_no_multiple_of_the_budget(make_client: MakeClient) -> None:
    """Pages that are answered come between them, and windows with clients of their own: one run has one budget."""
    step = by_path(bad=reply(b"", 500), good=reply(b"1"))
    with Server(step) as server, one_run():
        step.server.append(server)  # type: ignore[attr-defined]
        began = time.monotonic()
        for _ in range(5):
            with make_client(server.origin, http_budget=0.5) as client:
                for _ in range(4):
                    assert get(client, "/good") == b"1"
                    with pytest.raises(UnavailableError):
                        get(client, "/bad")
                    client.hurried = True
        assert time.monotonic() - began < 1.5
        asked = [asked.target for asked in server.asked]
        assert asked.count("/bad") > 25
    with Server(reply(b"", 500)) as server:
        with pytest.raises(UnavailableError):
            get(make_client(server.origin, http_budget=0.5))
        assert len(server.asked) > 5, "and the next run has its own"


@pytest.mark.parametrize("step", SILENT.values(), ids=SILENT)
def test_a07_a_request_that_is_under_way_is_told_once(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    """One line, as soon as it takes longer than a moment: whose answer, until when, and how long in all."""
    with Server(step) as server, ThreadPoolExecutor(4) as pool:
        client = make_client(server.origin, **SLOW | {"http_budget": 1.0}, worth_a_line=0.15)
        before = datetime.now(UTC)
        waits = [pool.submit(get, client) for _ in range(4)]
        time.sleep(0.5)
        [line] = [record for record in caplog.records if record.name == "conversync.waiting"]
        for wait in waits:
            assert isinstance(wait.exception(10), UnavailableError)
    assert len([record for record in caplog.records if record.name == "conversync.waiting"]) == 1
    fields = line.__dict__["told"]
    until = datetime.fromisoformat(fields["until"])
    assert line.levelno == logging.WARNING
    assert line.getMessage() == (
        f"Besitos has not answered GET /v1 yet; waiting until {until:%H:%M:%S} UTC at the latest, 1 second in all"
    )
    assert 0 <= (until - before.replace(microsecond=0)).total_seconds() <= 2
    assert (fields["vendor"], fields["status"], fields["at_most"]) == ("Besitos", None, 1.0)


def test_a07_an_answer_that_is_slow_and_comes_is_told_and_used(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A read that was late for the line goes on where it was."""

    def late(talk: Talk) -> None:
        talk.send(head(Content_Length=6) + b"abc")
        time.sleep(0.4)
        talk.send(b"def")

    with Server(late) as server:
        client = make_client(server.origin, **SLOW, worth_a_line=0.1)
        assert client.request("POST", "/v1", decode=body, retry=False) == b"abcdef"
    [line] = [record for record in caplog.records if record.name == "conversync.waiting"]
    assert line.getMessage().startswith("Besitos has not answered POST /v1 yet; waiting until ")
    assert line.getMessage().endswith(" UTC at the latest")


def test_l12_a_vendor_that_is_away_for_a_while_is_waited_for_whatever_was_in_vain(
    make_client: MakeClient,
) -> None:
    """Who is no longer hurried, for it was found that nothing is answered, has the budget since the last answer."""
    with Server(reply(b"", 500)) as server, one_run():
        client = make_client(server.origin, http_budget=0.5)
        client.hurried = True
        for _ in range(3):
            with pytest.raises(UnavailableError):
                get(client)
        server.script(reply(b"1"))
        assert get(client) == b"1"
        server.script(*[reply(b"", 503)] * 60)
        with pytest.raises(UnavailableError):
            get(client)
        client.hurried = False
        server.script(reply(b"", 503), reply(b"2"))
        assert get(client) == b"2"
