"""A vendor that says "later" is waited for, as long as it says, within one budget for all threads."""

from __future__ import annotations

import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, UnavailableError
from conversync.http.client import Client, Response
from conversync.http.retry_budget import retry_after
from conversync.http.wait_budget import BudgetClock
from tests.http.conftest import MakeClient
from tests.http.server import Server, Step, Talk, reply

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def body(answer: Response) -> bytes:
    """A decoder that believes everything."""
    return answer.body


def get(client: Client) -> bytes:
    return client.get("/v1/conversions", {"page": "7"}, body)


def date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("2.5", 2.5),
        (date(40), 40.0),
        ("1000000000", 300.0),
        ("9" * 5000, 300.0),
        (date(10**9), 300.0),
        ("0", None),
        ("-5", None),
        (date(-40), None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("nan", None),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_h18_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    """Both forms, capped; the past and junk are no answer, and the usual back-off applies."""
    assert retry_after({"Retry-After": value, "Date": date(0)}, cap=300) == seconds


def test_h18_a_date_is_measured_by_the_vendors_own_clock() -> None:
    """A machine whose clock is a day off waits as long as one whose clock is right."""
    assert retry_after({"Retry-After": date(40), "Date": date(30)}, cap=300) == 10
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after({"Retry-After": soon}, cap=300) == pytest.approx(99, abs=3)


@pytest.mark.parametrize("status", [429, 503])
def test_h17_a_vendor_that_names_a_time_is_left_alone_until_then(
    make_client: MakeClient, status: int
) -> None:
    """No request earlier, from any thread: what one thread was told holds for all."""
    with Server(reply(b"", status, Retry_After="0.25"), reply(b"1")) as server:
        client = make_client(server.origin)
        with ThreadPoolExecutor(4) as pool:
            first = pool.submit(get, client)
            time.sleep(0.08)
            others = [pool.submit(get, client) for _ in range(3)]
            assert [answer.result() for answer in [first, *others]] == [b"1"] * 4
        told, *later = server.asked
        assert min(asked.at for asked in later) - told.at >= 0.25
        assert max(asked.at for asked in later) - told.at < 0.6


def test_h18_a_retry_after_beyond_the_cap_is_cut(make_client: MakeClient) -> None:
    """A billion seconds are not believed."""
    with Server(reply(b"", 429, Retry_After=10**9), reply(b"1")) as server:
        assert get(make_client(server.origin)) == b"1"
        assert 0.3 <= server.asked[1].at - server.asked[0].at < 0.6


def test_h17_a_wait_that_the_budget_cannot_hold_is_not_begun(make_client: MakeClient) -> None:
    """It would end in the same error, only later."""
    with Server(reply(b"", 429, Retry_After=100)) as server:
        start = time.monotonic()
        with pytest.raises(UnavailableError, match=r"limiting our rate \(429\)") as caught:
            get(make_client(server.origin, retry_after_cap=300))
        assert time.monotonic() - start < 0.2
        assert caught.value.retry_after == 100
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_h19_a_burst_of_failures_is_ridden_out(make_client: MakeClient, status: int) -> None:
    """Four failures, then the page: it is received once, with the same question each time."""
    with Server(*[reply(b"oops", status)] * 4, reply(b"page 7")) as server:
        assert get(make_client(server.origin)) == b"page 7"
        assert [asked.target for asked in server.asked] == ["/v1/conversions?page=7"] * 5


@pytest.mark.parametrize(
    ("status", "sentence"), [(500, r"failed at GET .*\(500: oops\)"), (429, "limiting our rate")]
)
def test_h20_a_vendor_that_fails_for_ever_ends_within_the_budget(
    make_client: MakeClient, status: int, sentence: str
) -> None:
    """The error tells the status; the back-off kept the number of requests small."""
    with Server(reply(b"oops", status)) as server:
        start = time.monotonic()
        with pytest.raises(UnavailableError, match=f"^Besitos .*{sentence}.*try again later") as caught:
            get(make_client(server.origin, backoff=0.02, backoff_cap=0.1))
        assert 0.4 < time.monotonic() - start < 0.9
        assert caught.value.status == status
        assert 5 < len(server.asked) < 40


def test_h20_the_budget_is_for_all_requests_of_a_client_together(make_client: MakeClient) -> None:
    """A second stream of the same source does not get ten minutes of its own."""
    with Server(reply(b"oops", 500)) as server:
        client = make_client(server.origin)
        with pytest.raises(UnavailableError):
            get(client)
        start = time.monotonic()
        with pytest.raises(UnavailableError):
            get(client)
        assert time.monotonic() - start < 0.1


def test_eight_threads_that_wait_a_second_have_waited_a_second() -> None:
    """The budget is the clock on the wall while anything was held up, not a sum over threads."""
    clock = BudgetClock()
    for _ in range(8):
        clock.enter()
    time.sleep(0.1)
    for _ in range(8):
        clock.leave()
    time.sleep(0.1)
    assert clock.seconds() == pytest.approx(0.1, abs=0.05)


def test_time_in_which_nothing_was_held_up_is_not_counted(make_client: MakeClient) -> None:
    """A failure an hour ago leaves the budget of the next one as it was."""
    with Server(reply(b"oops", 500), reply(b"1"), reply(b"oops", 500), reply(b"2")) as server:
        client = make_client(server.origin, http_budget=0.2)
        assert get(client) == b"1"
        time.sleep(0.3)
        assert get(client) == b"2"


def test_h12_a_failure_inside_a_success_is_waited_for_like_any_other(make_client: MakeClient) -> None:
    """A decoder that reads `status: 503` in the envelope says so, and the page is asked for again."""

    def decode(answer: Response) -> object:
        envelope = answer.json()
        if envelope["status"] == 503:
            raise UnavailableError("Conductrics failed (503).", status=503)
        return envelope["data"]

    with Server(*[reply(b'{"status": 503}')] * 5, reply(b'{"status": 200, "data": [1]}')) as server:
        assert make_client(server.origin).get("/", {}, decode) == [1]
        assert len(server.asked) == 6


def test_the_number_of_attempts_is_bounded_whatever_the_clock_says(make_client: MakeClient) -> None:
    """A vendor that fails instantly, with no back-off left, is not asked for ever."""
    with Server(reply(b"oops", 500)) as server:
        with pytest.raises(UnavailableError):
            get(make_client(server.origin, backoff=0, attempts=5, http_budget=60))
        assert len(server.asked) == 5


def test_an_untrusted_answer_is_asked_for_again_three_times_in_all(make_client: MakeClient) -> None:
    """Eight threads with eight bad pages make eleven requests, not thirty-two."""
    with Server(reply(b"<html>")) as server:
        client = make_client(server.origin)

        def ask(_: int) -> str:
            with pytest.raises(InvalidResponseError) as caught:
                client.get("/", {}, lambda answer: answer.json())
            return str(caught.value)

        with ThreadPoolExecutor(8) as pool:
            sentences = set(pool.map(ask, range(8)))
        assert len(sentences) == 1
        assert len(server.asked) == 8 + 3


def test_a_page_that_heals_is_used(make_client: MakeClient) -> None:
    """One login page in the middle of a night does not end it."""
    with Server(reply(b"<html>"), reply(b'{"data": [{"a": 1}]}')) as server:
        _, rows = make_client(server.origin).get("/", {}, lambda answer: answer.rows("data"))
        assert [row.value for row in rows] == [{"a": 1}]


def held(talk: Talk) -> None:
    talk.hang()


@pytest.mark.parametrize("step", [reply(b"", 429, Retry_After=20), held], ids=["waiting", "reading"])
def test_closing_the_client_ends_every_wait_at_once(make_client: MakeClient, step: Step) -> None:
    """A signal ends the run in a moment, whatever its threads are waiting for."""
    with Server(step) as server:
        client = make_client(
            server.origin, http_budget=60, retry_after_cap=60, read_timeout=30, request_deadline=30
        )
        threading.Timer(0.15, client.close).start()
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="stopped before Besitos answered"):
            get(client)
        assert time.monotonic() - start < 0.6
        with pytest.raises(UnavailableError, match="stopped") as caught:
            get(client)
        assert not caught.value.sent
        assert len(server.asked) == 1


def test_h15_credentials_that_are_refused_stop_at_once(make_client: MakeClient) -> None:
    """One request, and the sentence says where the credentials stand."""
    for status in (401, 403):
        with Server(reply(b"no", status)) as server:
            with pytest.raises(CredentialsError) as caught:
                make_client(server.origin).request("GET", "/", decode=body, accept=range(400, 500))
            assert str(caught.value) == (
                f"Besitos refused the token ({status}: no). "
                "Check besitos_token in .dlt/secrets.toml or BESITOS_TOKEN."
            )
            assert caught.value.exit_code == 5
            assert len(server.asked) == 1


@pytest.mark.parametrize("concurrency", [8])
def test_threads_get_a_connection_each_and_keep_it(make_client: MakeClient, concurrency: int) -> None:
    """Eight threads need at most eight connections, however many pages and pools of threads there are."""
    with Server(reply(b"1")) as server:
        # None is given up for being slow: another one would be opened in its place.
        client = make_client(server.origin, connect_timeout=30.0, read_timeout=30.0, request_deadline=60.0)
        for _ in range(3):
            with ThreadPoolExecutor(concurrency) as pool:
                assert list(pool.map(lambda _: get(client), range(40))) == [b"1"] * 40
        assert server.connections <= concurrency


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "conversync.waiting"]


def test_b09_one_line_says_what_is_waited_for_and_until_when(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight threads that wait for the same are one line, with the moment that the vendor named and the most in all."""
    with Server(
        reply(b"", 429, Retry_After="0.3"), *[reply(b"", 429, Retry_After="0.2")] * 7, reply(b"1")
    ) as server:
        client = make_client(server.origin, http_budget=600, worth_a_line=0.1)
        before = datetime.now(UTC)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: get(client), range(8))) == [b"1"] * 8
        assert [asked for asked in server.asked if asked.at > server.asked[0].at + 0.1]
    [line] = told(caplog)
    fields = line.__dict__["told"]
    until = datetime.fromisoformat(fields["until"])
    assert line.getMessage() == (
        f"Besitos is limiting our rate (429); waiting until {until:%H:%M:%S} UTC, at most 10 minutes in all"
    )
    assert 0 <= (until - before.replace(microsecond=0)).total_seconds() <= 3
    assert (fields["vendor"], fields["status"], fields["at_most"]) == ("Besitos", 429, 600)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (
            reply(b'{"message": "Server Error"}', 500),
            "Besitos failed at GET /v1/conversions (500: Server Error)",
        ),
        (reply(b"", 503), "Besitos failed at GET /v1/conversions (503)"),
    ],
)
def test_a07_failures_that_go_on_are_told_once_with_when_we_give_up(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, step: Step, why: str
) -> None:
    """Not a line for every attempt: one, as soon as they last for longer than a moment."""
    with Server(step) as server:
        with pytest.raises(UnavailableError):
            get(make_client(server.origin, worth_a_line=0.1, http_budget=0.6))
        assert len(server.asked) > 5
    [line] = told(caplog)
    assert line.getMessage().startswith(f"{why}; asking again until ")
    assert line.getMessage().endswith(" UTC at the latest, 1 second in all")


def test_a07_a_vendor_that_cannot_be_reached_is_told(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, as in the error that would end it."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(UnavailableError):
        get(make_client(f"http://127.0.0.1:{port}", worth_a_line=0.1))
    [line] = told(caplog)
    assert line.getMessage().startswith("Besitos cannot be reached (connection refused); asking again until ")


def test_a_short_wait_is_not_worth_a_line(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """A burst that is ridden out in a moment is nobody's concern."""
    with Server(reply(b"", 429, Retry_After="0.2"), reply(b"", 500), reply(b"1")) as server:
        assert get(make_client(server.origin)) == b"1"
        assert len(server.asked) == 3
    assert told(caplog) == []


def test_b09_a_told_limit_that_makes_us_wait_is_told(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """With the limit and its end."""
    with Server(
        reply(b"1", X_RateLimit_Limit=60, X_RateLimit_Remaining=0, X_RateLimit_Reset="0.3")
    ) as server:
        client = make_client(server.origin, worth_a_line=0.1)
        assert [get(client), get(client)] == [b"1"] * 2
        assert server.asked[1].at - server.asked[0].at > 0.25
    [line] = told(caplog)
    assert line.getMessage().startswith(
        "Besitos takes no more requests for now (its limit is 60); waiting until "
    )
