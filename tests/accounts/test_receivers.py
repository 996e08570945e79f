"""What is sent to an account with a name is that account's alone: settings, credentials, ledger, journal, locks."""

from __future__ import annotations

import signal
import sqlite3
from datetime import UTC, datetime
from urllib.request import urlopen

import duckdb
import pytest

from tests.accounts.support import Trackers

FIRST, SECOND = "keitaro.conversions", "keitaro:eu.conversions"
ALL = ["t0", "t1", "t2"]
MINE = "[send.keitaro.accounts.eu.conversions]"


def test_one_outbox_to_two_accounts_is_two_ledgers_and_each_row_goes_once_to_each(trackers: Trackers) -> None:
    """A row that one of them has is new to the other; journal and epochs are apart; a second send sends nothing."""
    told = trackers.send(SECOND, "--dry-run").told
    assert "keitaro:eu.conversions: 3 rows in the outbox; would send: 3 new" in told
    assert trackers.there() == ([], [])
    assert trackers.send(FIRST).code == 0
    assert trackers.there() == (ALL, [])
    done = trackers.send(SECOND)
    assert done.code == 0, done.told
    assert trackers.there() == (ALL, ALL)
    for _ in range(2):
        assert trackers.send(SECOND).code == 0
    assert trackers.send(FIRST).code == 0
    assert trackers.there() == (ALL, ALL)
    trackers.sales(range(4))
    assert trackers.send(SECOND).code == 0
    assert trackers.there() == (ALL, [*ALL, "t3"])
    assert trackers.ledger("keitaro_conversions").keys() == {"k0", "k1", "k2"}
    assert trackers.ledger("keitaro_eu_conversions").keys() == {"k0", "k1", "k2", "k3"}
    home = trackers.folder / ".conversync"
    epochs = {name: (home / f"epoch-warehouse.duckdb-{name}").read_text() for name in (FIRST, SECOND)}
    assert epochs == {FIRST: "1\n", SECOND: "2\n"}
    status = trackers.run("status").out
    assert FIRST in status
    assert SECOND in status
    [(says,)] = trackers.query(
        "select comment from duckdb_tables() where schema_name = 'sent' and table_name = 'keitaro_eu_conversions'"
    )
    assert says == "Conversions that were sent to the tracker. Account eu."
    refused = trackers.run("status", "--strict")
    assert trackers.second.keitaro.postback_key not in status + told + done.told + refused.told


def test_no_credential_of_one_account_goes_to_the_address_of_another(trackers: Trackers) -> None:
    """What the account has not itself is asked for, though the vendor has it; nothing is asked of anybody."""
    for name, told in (
        ("KEITARO_POSTBACK_KEY", "keitaro_postback_key is not set"),
        ("KEITARO_URL", "keitaro_url is not set"),
    ):
        kept = trackers.env.pop(trackers.own(name))
        trackers.send(SECOND).refused(
            2, told, "[sources.keitaro.accounts.eu] of .dlt/secrets.toml", trackers.own(name)
        )
        trackers.env[trackers.own(name)] = kept
    trackers.env[trackers.own("KEITARO_TRANSPORT")] = "admin_api"
    trackers.env[trackers.own("KEITARO_API_KEY")] = "of-nobody"
    done = trackers.send(SECOND)
    assert done.code == 5, done.told
    assert "Those of keitaro:eu stand in [sources.keitaro.accounts.eu]" in done.told
    assert "of-nobody" not in done.told
    assert {one.headers.get("api-key") for one in trackers.second.requests} == {"of-nobody"}
    assert not trackers.sandbox.requests


def test_one_receiver_under_two_names_is_refused(trackers: Trackers) -> None:
    """The same address with the same key: every row would be there twice."""
    trackers.env[trackers.own("OPTIBASE_URL")] = trackers.env["OPTIBASE_URL"].replace(
        "127.0.0.1", "localhost"
    )
    trackers.env[trackers.own("OPTIBASE_PUBLIC_API_KEY")] = trackers.env["OPTIBASE_PUBLIC_API_KEY"]
    for target in ("optibase.conversions", "optibase:eu.conversions"):
        done = trackers.run("send", target, "--from", "select 'k' as send_key, 'c' as conversion_id")
        done.refused(2, "have the same address and credentials", "Nothing was sent")
    assert not trackers.sandbox.requests + trackers.second.requests


@pytest.mark.more
def test_an_account_under_another_name_asks_before_it_sends_all_again(trackers: Trackers) -> None:
    """Its books are those of its old name: nothing goes to the new one until a person says that it is another one."""
    assert trackers.send(FIRST).code == trackers.send(SECOND).code == 0
    for name in [name for name in trackers.env if "__ACCOUNTS__EU__" in name]:
        trackers.env[name.replace("__EU__", "__UK__")] = trackers.env.pop(name)
    for words in (["--dry-run"], []):
        trackers.send("keitaro:uk.conversions", *words).refused(
            2, f"there is a ledger of {SECOND}, an account that no settings name any more", "--after-restore"
        )
    assert trackers.there() == (ALL, ALL)
    assert trackers.send(FIRST).code == 0, "an account that always had its name sends as ever"
    assert trackers.send("keitaro:uk.conversions", "--after-restore").code == 0
    assert trackers.there() == (ALL, sorted([*ALL, *ALL]))
    assert trackers.send("keitaro:uk.conversions").code == 0


REFUSED = [
    (["send", "keitaro:ue.conversions", "--from", "main.sales"], "", "keitaro has no account ue", SECOND),
    (
        ["send", SECOND],
        "[send.keitaro.conversions]\nfrom = 'main.sales'",
        f"{SECOND} has no outbox",
        f"{MINE} query",
    ),
    (
        ["send", SECOND],
        f"[send]\nsend_enabled = false\n{MINE}\nfrom = 'main.sales'\nsend_enabled = true",
        "send_enabled = false",
        SECOND,
    ),
    (
        ["send", SECOND],
        f"{MINE}\nfrom = 'main.sales'\n[send.keitaro.accounts.eu]\nsend_max_rows = 2",
        "2 is the most that may go",
        SECOND,
    ),
    (["send", "keitaro:eu.convertions", "--from", "main.sales"], "", "There is no target", SECOND),
    (["reconcile", "keitaro:ue"], "", '"keitaro:ue" cannot be compared', "keitaro:eu"),
    (["send", SECOND], "", f"{SECOND} has no outbox", f"{MINE} query"),
    (
        ["send", SECOND],
        f"{MINE}\nfrom = 'main.sales'\n[send]\nsend_enabled = false",
        "send_enabled = false",
        f"nothing was sent to {SECOND}",
    ),
    (
        ["status"],
        "[send.keitaro.accounts.ue]\nsend_rate = '1/s'",
        "[send.keitaro.accounts.ue]",
        "[send.keitaro.accounts.eu] is",
    ),
    (["status"], "[send.besitos.accounts.eu]\nsend_rate = '1/s'", "[send.besitos]", ""),
    (
        ["status"],
        f"[sources.infobip.accounts.{'a' * 40}]\ninfobip_lookback_days = 3",
        "too long a name",
        "shorter",
    ),
    (["status"], f"{MINE}\nqeury = 'x'", "qeury", "query is"),
    (["status"], "[send.keitaro.accounts.eu]\nquery = 'select 1'", "query", "section of one target"),
    (["status"], f"{MINE}\nsend_rate = 'fast'", "send_rate", "no rate"),
    (["status"], "[sources.infobip.accounts]\nx = 1", "x", ""),
]


@pytest.mark.quick(4)
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{' '.join(case[0])[:30]} {case[2][:30]}")
def test_what_names_no_account_or_is_not_its_own_is_refused(
    trackers: Trackers, case: tuple[list[str], str, str, str]
) -> None:
    """Exit 2. The first account's outbox is never another one's, and a kill switch stops from anywhere."""
    command, text, *told = case
    trackers.write(text)
    trackers.run(*command).refused(2, *told)
    assert not trackers.sandbox.requests + trackers.second.requests


def test_an_account_of_a_vendor_that_is_only_sent_to(trackers: Trackers) -> None:
    """Optibase has nothing to read; what tells of a person is withheld from the copy for readers, of each account."""
    trackers.change(
        "create table main.users as select 'k' as send_key, 'buy' as conversion_id, 'ann' as tested_user_id"
    )
    for target in ("optibase.conversions", "optibase:eu.conversions"):
        done = trackers.run("send", target, "--from", "main.users")
        assert done.code == 0, done.told
    for box in (trackers.sandbox, trackers.second):
        assert [one.path for one in box.requests] == ["/api/script/conversionEvent"]
        assert box.optibase.public_api_key.encode() in box.requests[0].body
    assert trackers.run("publish").code == 0
    published = trackers.folder / "published" / "warehouse.duckdb"
    with duckdb.connect(str(published), read_only=True) as copy:
        for table in ("optibase_conversions", "optibase_eu_conversions"):
            found = copy.execute(f"select status, content, identities from sent.{table}").fetchall()
            assert found == [("sent", None, None)]
    assert b'"ann"' not in published.read_bytes()


@pytest.mark.more
def test_what_an_answer_makes_is_the_accounts_own(trackers: Trackers) -> None:
    """A process of `infobip:eu` is in `infobip_eu.processes`; what became of its messages stands beside its ledger."""
    trackers.change(
        "create table main.made as select 'k' as send_key, 'a' as name, 'b' as description;"
        "create table main.texts as select 'k' as send_key, 'INFOSMS' as sender_address, '491715550000' as address, "
        "'hello' as message"
    )
    for source, dataset in (("infobip", "infobip"), ("infobip:eu", "infobip_eu")):
        assert trackers.run("send", f"{source}.processes", "--from", "main.made").code == 0
        done = trackers.run("send", f"{source}.messages", "--from", "main.texts")
        assert done.code == 0, done.told
        assert trackers.query(f"select count(*) from {dataset}.processes") == [(1,)]
        assert trackers.query(f"select count(*) from sent.{dataset}_message_results") == [(1,)]
        schemas = trackers.query(f"select distinct schema_name from {dataset}._dlt_version")
        assert schemas == [("infobip",)], "the account's loads go on with it"
    assert len(trackers.sandbox.infobip.received) == len(trackers.second.infobip.received) == 2
    trackers.change("update sent.infobip_eu_messages set sent_at = '2024-01-02 00:00:00+00'")
    with sqlite3.connect(trackers.journal) as journal:
        journal.execute(
            "update outcomes set sent_at = '2024-01-02T00:00:00.000000+00:00' where target = 'infobip:eu.messages'"
        )
    trackers.env["CONVERSYNC_RETAIN_SENT_DAYS"] = "1"
    done = trackers.run("send", "infobip:eu.messages", "--from", "main.texts")
    assert done.code == 0, done.told
    told = "select starts_with(address, 'removed ') from sent.{}_message_results"
    assert trackers.query(told.format("infobip_eu")) == [(True,)]
    assert trackers.query(told.format("infobip")) == [(False,)]


@pytest.mark.more
def test_a_send_that_was_killed_goes_on_and_the_other_account_hears_nothing(trackers: Trackers) -> None:
    """At five points of a send to one account, of which the other one has all: nothing is lost, nothing comes there."""
    assert trackers.send(FIRST).code == 0
    tally = trackers.folder / "points"
    trackers.sales(range(4))
    assert trackers.send(SECOND, points=str(tally)).code == 0
    count = int(tally.read_text())
    for number, part in enumerate(range(1, 10, 2)):
        rows = range(4 + 2 * number, 6 + 2 * number)
        trackers.sales(range(rows.stop))
        killed = trackers.send(SECOND, at=count * part // 10)
        assert killed.code == -signal.SIGKILL, killed.told
        healed = trackers.send(SECOND)
        assert healed.code == 0, healed.told
        assert {f"t{n}" for n in rows} <= {*trackers.there()[1]}
        assert {trackers.ledger("keitaro_eu_conversions")[f"k{n}"] for n in rows} == {"sent"}
    assert trackers.there()[0] == ALL
    assert trackers.ledger("keitaro_conversions").keys() == {"k0", "k1", "k2"}


@pytest.mark.more
def test_each_account_is_compared_with_its_own_tracker_and_counts_in_the_marts(trackers: Trackers) -> None:
    """A night sends what each account's own settings say; `is_sent_by_us` and `reconcile` know each account's rows."""
    for name in [
        name for name in trackers.env if "KEITARO" not in name and name.endswith(("_URL", "TOKEN", "KEY"))
    ]:
        del trackers.env[name]
    trackers.env |= {"KEITARO_START_DATE": str(datetime.now(UTC).date()), "KEITARO_LOOKBACK_DAYS": "1"}
    trackers.write(
        "[send.keitaro.conversions]\nquery = \"select * from main.sales where send_key < 'k2'\"\n"
        "[send.keitaro.accounts.eu.conversions]\nquery = \"select * from main.sales where send_key > 'k0'\"\n"
    )
    for box in (trackers.sandbox, trackers.second):
        box.keitaro.rows = []
    night = trackers.run("nightly", "keitaro", "keitaro:eu", "--no-build", "--no-report")
    assert night.code == 0, night.told
    assert trackers.there() == (ALL[:2], ALL[1:])
    for source in ("keitaro", "keitaro:eu"):
        unread = trackers.run("reconcile", source)
        assert (unread.code, f"run `conversync load {source}`" in unread.out) == (3, True), unread.told
    # What the second account was sent comes to the first tracker, too, but from somebody else.
    postback = f"{trackers.sandbox.url}/{trackers.sandbox.keitaro.postback_key}/postback?subid=click-2&tid=t2"
    with urlopen(postback):  # noqa: S310 - the sandbox
        pass
    for box in (trackers.sandbox, trackers.second):
        box.world.advance(hours=1)
    days = ["--from", "2024-12-12", "--to", str(trackers.sandbox.world.now.date())]
    loaded = trackers.run("load", "keitaro", "keitaro:eu", *days)
    assert loaded.code == 0, loaded.told
    for source, others in (("keitaro", 1), ("keitaro:eu", 0)):
        agreed = trackers.run("reconcile", source)
        assert f"{source}: 2 sent, 2 there as sent, 0 differences" in agreed.out, agreed.told
        assert (f"{others} conversions of the tracker are not ours" in agreed.out) == bool(others)
    done = trackers.run("build")
    assert done.code == 0, done.told
    found = trackers.query(
        "select account, transaction_id, is_sent_by_us from marts.conversions where vendor = 'keitaro' order by all"
    )
    assert found == [
        ("keitaro", "t0", True),
        ("keitaro", "t1", True),
        ("keitaro", "t2", False),
        ("keitaro_eu", "t1", True),
        ("keitaro_eu", "t2", True),
    ]


@pytest.mark.more
def test_what_was_sent_to_an_account_is_known_after_its_name_left_the_settings(trackers: Trackers) -> None:
    """Undo refuses it, explain tells it, and forget clears its ledger and its lines of the journal."""
    load = ["load", "besitos", "--from", "2024-12-01", "--to", "2024-12-12", "--window", "400d"]
    assert trackers.run(*load).code == 0
    [(key, user)] = trackers.query(
        "select transaction_id, user_id from besitos.conversions where not is_orphan order by 1 limit 1"
    )
    trackers.change(
        f"create or replace table main.sales as select 'besitos-{key}' as send_key, 'c' as subid, 't' as tid, "
        f"1.5 as payout, '{user}' as sub_id_1"
    )
    done = trackers.send(SECOND)
    assert done.code == 0, done.told
    trackers.env = {name: text for name, text in trackers.env.items() if "__ACCOUNTS__EU__" not in name}
    undo = trackers.run("undo", "--last", "--vendor", "besitos", "--dry-run")
    undo.refused(1, f"went to sent.keitaro_eu_conversions: besitos-{key}")
    assert "sent.keitaro_eu_conversions" in trackers.run("explain", str(key)).out
    assert SECOND in trackers.run("status").out
    trackers.env["CONVERSYNC_PRIVACY_KEY"] = "a key of the tests, and of nobody else"
    done = trackers.run("forget", str(user))
    assert done.code == 0, done.told
    assert "sent.keitaro_eu_conversions" in done.out
    [(content, outbox)] = trackers.query("select content, outbox from sent.keitaro_eu_conversions")
    assert (str(user) in content, outbox) == (False, "forgotten")
    assert str(user).encode() not in trackers.journal.read_bytes()
