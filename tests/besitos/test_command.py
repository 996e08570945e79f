"""`conversync load besitos` as cron runs it: its exit code, its sentence, and how many requests it made."""

from __future__ import annotations

import time
from typing import Any

import pytest

from conversync.sandbox import Fault, Request, Sandbox, World
from conversync.sandbox.faults import refused_url
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import AFTER, FROM, TO, row, text
from tests.support import FEED, Workspace, command, pages, sometimes

LOAD = ("load", "besitos", "--from", FROM, "--to", TO)
PAGE = b'{"data":%s,"links":{},"meta":{"total":0}}'


def run(house: Workspace, *arguments: str, **environment: str) -> Any:
    """The command in a process of its own, in an empty folder, with the house's settings in the environment."""
    return command(*(arguments or LOAD), cwd=house.folder, environment={**house.environment, **environment})


def count(house: Workspace) -> int:
    """The rows that are loaded."""
    [[rows]] = house.query("select count(*) from besitos.conversion_events")
    return int(rows)


def test_one_bad_row_in_a_thousand_costs_that_row(house: Workspace) -> None:
    """J16. 999 load the same night, one is set aside with its reason: exit 3; the next night is exit 0, and says so."""
    good: list[Any] = [row(number) for number in range(1, 1000)]
    house.sandbox.besitos.rows = [*good[:500], text(1000, payout='"N/A"'), *good[500:]]
    first = run(house)
    assert (first.code, count(house)) == (3, 999)
    assert "1 row newly set aside" in first.out
    assert "load those days: conversync load besitos --from DAY --to DAY" in first.out
    assert house.query("select reason, raw from besitos.rejected_rows") == [
        ("payout is not a number", text(1000, payout='"N/A"'))
    ]
    second = run(house)
    assert (second.code, count(house)) == (0, 999)
    assert "1 row known from earlier stays aside" in second.out
    assert house.query("select count(*), max(times_seen) from besitos.rejected_rows") == [(1, 2)]


@pytest.mark.more
def test_h15_a_wrong_token_is_told_in_one_sentence_after_three_requests(house: Workspace) -> None:
    """Exit 5; the sentence names the setting and not its value; only two other days are asked for."""
    ended = run(house, BESITOS_TOKEN="wrong-canary")
    sentence = (
        "Besitos refused the token (401: Unauthenticated). "
        "Check besitos_token in .dlt/secrets.toml or BESITOS_TOKEN."
    )
    assert ended.code == 5
    assert ended.err.count(sentence) == 1
    assert sentence not in ended.out
    assert "canary" not in ended.out + ended.err
    assert "Traceback" not in ended.err
    asked = [(one.path, one.query["page"], one.status) for one in house.sandbox.requests]
    assert asked == [(FEED, "1", 401)] * 3


@pytest.mark.more
def test_k01_a_missing_token_is_told_before_any_request(house: Workspace) -> None:
    """Exit 2, and where the token can stand."""
    environment = {name: value for name, value in house.environment.items() if name != "BESITOS_TOKEN"}
    ended = command(*LOAD, cwd=house.folder, environment=environment)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "conversync: besitos_token is not set: write besitos_token into .dlt/secrets.toml, "
        "or set BESITOS_TOKEN in the environment.\n"
    )
    assert house.sandbox.requests == []


@pytest.mark.long
def test_a_server_that_is_down_is_told_within_a_minute(house: Workspace) -> None:
    """Exit 6, after trying; and the next run, with the server up again, is right."""
    house.sandbox.besitos.rows = [row(1)]
    begun = time.monotonic()
    ended = run(house, BESITOS_URL=refused_url())
    assert time.monotonic() - begun < 75
    assert ended.code == 6
    assert "Besitos cannot be reached" in ended.out + ended.err
    assert (run(house).code, count(house)) == (0, 1)


def test_settings_stand_in_files_too_and_bare_names_mean_nothing(house: Workspace) -> None:
    """K08. From `.dlt/` in the working directory; USER_ID, TYPE, TOKEN and the like of a shell configure nothing."""
    house.sandbox.besitos.rows = [row(number) for number in (1, 2, 3)]
    folder = house.folder / ".dlt"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'[sources.besitos]\nbesitos_url = "{house.sandbox.url}"\nbesitos_page_size = 2\n'
    )
    secrets = folder / "secrets.toml"
    secrets.write_text(f'[sources.besitos]\nbesitos_token = "{house.sandbox.token}"\n')
    secrets.chmod(0o600)
    bare = "TOKEN USER_ID OFFER_ID TYPE START END START_DATE END_DATE URL STREAMS SETTINGS ON_PAGE FROM TO"
    ended = command(*LOAD, cwd=house.folder, environment=dict.fromkeys(bare.split(), "survey"))
    assert (ended.code, ended.err.count("\n")) == (0, 2), "a line a window, and no warning"
    assert count(house) == 3
    for request in house.sandbox.requests:
        assert request.headers["authorization"] == f"Bearer {house.sandbox.token}"
        assert {**request.query, "page": "", "is_reverse": ""} == {
            "from_date": FROM, "to_date": AFTER, "per_page": "2", "page": "", "is_reverse": "",
        }  # fmt: skip
    assert sorted(path.name for path in house.folder.iterdir()) == [
        ".conversync", ".dlt", "published", "warehouse.duckdb",
    ]  # fmt: skip


UNTRUSTED = [
    ("H11 a login page", Fault(html=True), "a web page instead of data"),
    ("H13 no list of rows", Fault(body=PAGE % b"null"), "no list of rows"),
    ("H14 an empty body", Fault(body=b""), "it is empty"),
    ("H12 an error as 200", Fault(body=b'{"error":"quota"}'), "an error instead of data (quota)"),
    ("H13 an object of rows", Fault(body=PAGE % b"{}"), "no list of rows"),
    ("H13 no data", Fault(body=b'{"links":{},"meta":{"total":0}}'), "no list of rows"),
    ("H14 no content", Fault(status=204, body=b""), "it is empty|204"),
    ("a bare list", Fault(body=b"[]"), "no list of rows"),
]


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [one[1:] for one in UNTRUSTED],
    ids=[one[0] for one in UNTRUSTED],
)
def test_an_answer_that_is_not_the_feed_is_refused(house: Workspace, fault: Fault, sentence: str) -> None:
    """Exit 6 after asking three times more, for days far apart and a single row; nothing of the body is told."""
    house.sandbox.faults.add(fault)
    report = house.run(FROM, TO)
    assert report.exit_code == 6
    assert any(part in str(report.error) for part in sentence.split("|")), report.error
    assert fault.delivered == len(house.sandbox.requests) == 12
    assert "DOCTYPE" not in str(report.error)
    assert (
        house.query("select table_name from information_schema.tables where table_schema = 'besitos'") == []
    )


@pytest.mark.parametrize("status", sometimes(403, 401, quick=1))
def test_a_refusal_on_a_later_page_leaves_nothing_half_loaded(house: Workspace, status: int) -> None:
    """H15. From page 3 on, nobody is let in: what the pages before it held is not in the tables; the next run heals."""
    house.settings |= {"BESITOS_PAGE_SIZE": "2", "BESITOS_CONCURRENCY": "1"}
    house.sandbox.besitos.rows = [row(number) for number in range(1, 8)]
    house.load(FROM, "2024-12-03")
    before = len(house.sandbox.requests)
    gone: list[int] = []

    def is_gone(asked: Request) -> bool:
        gone.extend([1] if asked.query["page"] == "3" else [])
        return bool(gone)

    fault = house.sandbox.faults.add(Fault(where=is_gone, status=status))
    report = house.run(FROM, TO)
    assert report.exit_code == 5
    assert f"Besitos refused the token ({status}: " in str(report.error)
    assert (fault.delivered, pages(house.sandbox.requests[before:])) == (2, [1, 2, 3, 1])
    assert count(house) == 0
    house.sandbox.faults.clear()
    house.load(FROM, TO)
    assert count(house) == 7


@pytest.mark.parametrize("status", sometimes(422, 404, quick=1))
def test_h16_a_page_that_is_not_given_is_had_another_way(house: Workspace, status: int) -> None:
    """Refused or not known beyond the second page: the same rows are asked for on a larger one."""
    house.settings |= {"BESITOS_PAGE_SIZE": "2", "BESITOS_CONCURRENCY": "1"}
    house.sandbox.besitos.rows = [row(number) for number in range(1, 8)]
    fault = house.sandbox.faults.add(Fault(page=3, status=status))
    house.load(FROM, TO)
    assert fault.delivered
    assert count(house) == 7


def test_h19_a_vendor_that_stumbles_is_waited_for(make_house: MakeHouse) -> None:
    """A 503 and a connection cut in the middle: each page is asked for until it is whole, and loaded once."""
    house = make_house(besitos_page_size="2", besitos_concurrency="1")
    house.sandbox.besitos.rows = [row(number) for number in range(1, 6)]
    stumble = house.sandbox.faults.add(Fault(page=2, times=1, status=503))
    cut = house.sandbox.faults.add(Fault(page=3, times=1, reset_after=20))
    house.load(FROM, TO)
    assert (stumble.delivered, cut.delivered, count(house)) == (1, 1, 5)
    assert pages(house.sandbox.requests) == [1, 2, 2, 3, 3]


def test_h21_a_redirect_takes_the_token_nowhere(house: Workspace) -> None:
    """Neither to another host nor to another path: refused, and no byte arrives there."""
    with Sandbox(World(days=1)) as other:
        house.sandbox.faults.add(Fault(redirect=f"{other.url}{FEED}?page=1"))
        report = house.run(FROM, TO)
        assert other.requests == []
    assert report.exit_code == 6
    assert len(house.sandbox.requests) <= 3
