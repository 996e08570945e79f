"""What was sent beside what the vendor's own tables say arrived; and the ready-made queries for Besitos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.houses import VendorWorkspace, forget_settings

# isort: split
import duckdb

from conversync.errors import SettingsError
from conversync.sandbox import Sandbox, World
from conversync.send.comparison import Comparison
from conversync.send.options import options
from conversync.send.reconcile import reconcile
from conversync.send.run import SendReport, send
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales

TRACKER = (
    "create schema if not exists keitaro; create or replace table keitaro.conversions "
    "(sub_id varchar, tid varchar, status varchar, revenue decimal(18, 6), currency varchar, conversion_type varchar)"
)
WALL = (
    "create schema if not exists besitos; create or replace table besitos.conversions as select * from (values "
    "(1, 'Ann', 'ann', 10.0::decimal(18, 6), 10.0::decimal(18, 6), 1.0, null, false, false, false), "
    "(2, 'Ann', 'ann', 10.0, 4.0, 1.0, 0.6, true, false, false), "
    "(3, 'bob', 'bob', 10.0, 0.0, 1.0, 1.0, true, false, false), "
    "(4, 'bob', 'bob', 10.0, 10.0, 1.0, 1.0, true, false, true), "
    "(5, 'eve', 'eve', 10.0, 10.0, 1.0, null, false, false, false), "
    "(6, 'bob', 'bob', null, 0.0, null, 1.0, true, true, false)) "
    "as t(transaction_id, user_id, user_key, payout, net_payout, reward, reversed_reward, is_reversed, is_orphan, "
    "reversal_payout_unknown), "
    "(select now() as occurred_at, current_date as occurred_on, null::bigint as replaces)"
)
PLAYERS = (
    "create or replace table main.player_ids as select * from (values ('ANN', 'c-ann', 'x-ann'), "
    "('bob', 'c-bob', 'x-bob'), ('eve', null, null)) as t(user_key, subid, tested_user_external_id)"
)


def tracker(house: Workspace, rows: list[tuple[object, ...]]) -> None:
    house.change(TRACKER)
    if rows:
        house.change("insert into keitaro.conversions values (?, ?, ?, ?, ?, null)", rows)


def test_no_difference(house: Workspace) -> None:
    """Also where the tracker writes a newer word for the status, or has conversions that others sent."""
    house.outbox(KEITARO, sales(2))
    house.send(KEITARO)
    there = [
        ("click-0", "t0", "sale", Decimal("1.5"), "USD"),
        ("click-1", "t1", "deposit", Decimal("1.5"), "USD"),
    ]
    tracker(house, [*there, ("another", "t9", "sale", Decimal(7), "USD")])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert (found.sent, found.agree, found.differences, found.exit_code) == (2, 2, [], 0)
    assert "1 conversions of the tracker are not ours" in found.notes[0]
    done = house.command("reconcile", "keitaro")
    assert (done.code, "2 there as sent" in done.out) == (0, True)


def test_a_vendor_that_was_not_read_since_is_said(house: Workspace) -> None:
    """What was sent after the last load cannot be there yet: the way out is named before the differences."""
    house.outbox(KEITARO, sales(1))
    house.send(KEITARO)
    tracker(house, [])
    house.change(
        "create table keitaro._dlt_loads as select now() - interval 1 day as inserted_at, 0 as status"
    )
    found = reconcile(Warehouse(house.path), "keitaro")
    assert found.exit_code == 3
    assert "before the last send: run `conversync load keitaro`" in found.notes[0]
    house.change("update keitaro._dlt_loads set inserted_at = now()")
    assert not any("load keitaro" in note for note in reconcile(Warehouse(house.path), "keitaro").notes)


def test_every_difference_is_named(house: Workspace) -> None:
    """Missing there, missing here, status, amount and currency apart."""
    house.outbox(KEITARO, [*sales(5), ("bad", "click-bad", "sale", "1", "USD", "t-bad")])
    house.receiver.poisoned = lambda query: query["subid"] == "click-bad"
    house.send(KEITARO)
    one = Decimal("1.5")
    tracker(
        house,
        [
            ("click-1", "t1", "rejected", one, "USD"),
            ("click-2", "t2", "sale", Decimal("1.4"), "USD"),
            ("click-3", "t3", "sale", one, "EUR"),
            ("click-4", "t4", "sale", one, "USD"),
            ("click-bad", "t-bad", "sale", Decimal(1), "USD"),
        ],
    )
    found = reconcile(Warehouse(house.path), "keitaro")
    assert {(one.send_key, one.what) for one in found.differences} == {
        ("k0", "missing there"),
        ("k1", "status"),
        ("k2", "amount"),
        ("k3", "currency"),
        ("bad", "missing here"),
    }
    assert (found.sent, found.agree, found.exit_code) == (5, 1, 3)
    assert house.command("reconcile", "keitaro", "--log-format", "json").code == 3


def test_infobip_proves_what_its_counts_can(house: Workspace) -> None:
    """So many users must have passed a start tag as we told of; of other tags it tells nothing."""
    house.change(
        "create schema sent; create table sent.infobip_logs as select 'k' || n as send_key, 'sent' as status, "
        "'{\"process_key\": \"P\", \"process_tag_key\": \"' || case when n < 4 then 'START' else 'END' end || '\"}' "
        "as content, "
        "'{\"process_log_key\": \"' || n || '\"}' as answer, timestamptz '2026-01-02 12:00:00+00' as sent_at "
        "from range(6) as r(n)"
    )
    house.change(
        "create schema infobip; create table infobip.conversion_rates as select 'P' as process_key, "
        "'START' as start_tag, null::varchar as answered_start_tag, date '2026-01-02' as day, 3 as start_count"
    )
    found = reconcile(Warehouse(house.path), "infobip")
    assert [(one.what, one.sent, one.there) for one in found.differences] == [
        ("missing there", "4 users", "3 users")
    ]
    assert "2 users cannot be proven" in found.notes[0]
    house.change("update infobip.conversion_rates set start_count = 4")
    assert reconcile(Warehouse(house.path), "infobip").exit_code == 0


def test_nothing_to_compare_is_told(house: Workspace) -> None:
    house.outbox(KEITARO, sales(1))
    with pytest.raises(SettingsError, match="Nothing was sent"):
        reconcile(Warehouse(house.path), "keitaro")
    house.send(KEITARO)
    with pytest.raises(SettingsError, match="conversync load keitaro"):
        reconcile(Warehouse(house.path), "keitaro")
    with pytest.raises(SettingsError, match="infobip, keitaro"):
        reconcile(Warehouse(house.path), "optibase")


def test_besitos_to_keitaro(house: Workspace) -> None:
    """Sales of mapped players; a full reversal as rejected, also without a payout; a partial one as what is left."""
    house.change(f"{WALL}; {PLAYERS}")
    assert house.send(KEITARO, source="besitos").exit_code == 0
    stands = {one["tid"]: (one["subid"], one["status"], one["payout"]) for one in house.receiver.taken}
    assert stands == {
        "1": ("c-ann", "sale", "10"),
        "2": ("c-ann", "sale", "4"),
        "3": ("c-bob", "rejected", "10"),
        "4": ("c-bob", "rejected", "10"),
    }


def test_besitos_to_optibase_and_players_who_are_their_own_ids(house: Workspace) -> None:
    """What was not taken back, by the mapping's external id, or by user_id."""
    house.change(f"{WALL}; {PLAYERS}")
    assert house.send(OPTIBASE, source="besitos").exit_code == 0
    assert [one["testedUserExternalId"] for one in house.receiver.taken] == ["x-ann"]
    house.receiver.taken.clear()
    house.settings |= {"SEND_PLAYER_IDS": "user_id", "SEND_CONVERSION_ID": "offerwall"}
    report = house.send(OPTIBASE, source="besitos")
    assert report.plan.unsupported == ["besitos-1"]
    assert [
        (one["userFriendlyConversionId"], one["testedUserExternalId"]) for one in house.receiver.taken
    ] == [("offerwall", "eve")]


def test_without_its_mapping_table_a_ready_made_query_says_so(house: Workspace) -> None:
    house.change(WALL)
    with pytest.raises(SettingsError, match="player_ids"):
        house.send(KEITARO, source="besitos")


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorWorkspace]:
    """A tracker that holds only what is sent to it."""
    forget_settings(monkeypatch)
    world = World(7, datetime.now(UTC).date() - timedelta(days=2), 2, players=5, conversions_a_day=1)
    world.now = datetime.now(UTC)
    with Sandbox(world) as sandbox:
        sandbox.keitaro.rows = []
        yield VendorWorkspace("keitaro", sandbox, tmp_path)


def posted(house: VendorWorkspace, *rows: tuple[str, str, str, str]) -> SendReport:
    """Sends key, subid, status and payout; the tid is the key."""
    values = ", ".join(str(row) for row in rows)
    query = (
        "select k as send_key, k as tid, c as subid, s as status, p::decimal(18, 6) as payout "
        f"from (values {values}) as r(k, c, s, p)"
    )
    if not house.path.exists():
        duckdb.connect(str(house.path)).close()
    with house.set():
        return send(
            Warehouse(house.path),
            targets()[KEITARO],
            options(KEITARO, outbox=query),
            lambda _: None,
            lambda _: None,
        )


def compared(house: VendorWorkspace, minutes_later: int = 0) -> Comparison:
    """Reads the tracker, so many minutes after the send for what the tables say, and compares."""
    house.load()
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(
            "update keitaro._dlt_loads set inserted_at = inserted_at + to_minutes(?)", [minutes_later]
        )
    return reconcile(Warehouse(house.path), "keitaro")


def differences(found: Comparison) -> list[tuple[str, str, str, str]]:
    return [(one.send_key, one.what, one.sent, one.there) for one in found.differences]


@pytest.mark.more
def test_x30_a_posting_that_may_still_be_in_the_queue_is_too_early_to_tell(real: VendorWorkspace) -> None:
    """The tracker knows of it half a minute later; a reading before that proves nothing, one long after does."""
    real.sandbox.keitaro.variants = replace(real.sandbox.keitaro.variants, queue_seconds=30)
    posted(real, ("k0", "click-0", "sale", "1.50"))
    found = compared(real)
    assert (found.exit_code, found.differences, found.agree, found.too_early) == (0, [], 0, 1)
    assert "too early to tell" in found.notes[-1]
    late = compared(real, minutes_later=6)
    assert (late.exit_code, differences(late)) == (
        3,
        [("k0", "missing there", "sale, subid click-0, tid k0", "")],
    )
    real.sandbox.world.advance(minutes=1)
    found = compared(real)
    assert (found.exit_code, found.agree, found.too_early) == (0, 1, 0)


@pytest.mark.more
@pytest.mark.parametrize("said", ["ignored", "told"])
def test_x30_a_click_that_the_tracker_does_not_know_is_missing_there(
    real: VendorWorkspace, said: Any
) -> None:
    """It forgets the conversion: where it says so the row is rejected, else reconcile shows it."""
    real.sandbox.keitaro.variants = replace(real.sandbox.keitaro.variants, unknown_subid=said)
    report = posted(real, ("k0", "nobody", "sale", "1.50"))
    assert (report.sent.sent, report.exit_code) == ((1, 0) if said == "ignored" else (0, 3))
    found = compared(real, minutes_later=6)
    if said == "ignored":
        assert differences(found) == [("k0", "missing there", "sale, subid nobody, tid k0", "")]
    else:
        assert report.sent.rejected == {"k0": "refused (200): SubID not found"}
        assert found.differences == []


@pytest.mark.more
@pytest.mark.parametrize("said", ["ignored", "told"])
def test_x30_a_corrected_amount_that_the_tracker_did_not_take_is_shown(
    real: VendorWorkspace, said: Any
) -> None:
    """By one reading of the vendor's pages a repeat of the same status changes nothing. A reversal is heard."""
    real.sandbox.keitaro.variants = replace(real.sandbox.keitaro.variants, same_status=said)
    posted(real, ("k0", "c0", "sale", "1.50"), ("k1", "c1", "sale", "2.00"))
    report = posted(real, ("k0", "c0", "sale", "0.75"), ("k1", "c1", "rejected", "2.00"))
    assert (report.exit_code, report.sent.sent) == (0, 2)
    found = compared(real, minutes_later=6)
    assert (found.exit_code, differences(found)) == (3, [("k0", "amount", "0.75", "1.5")])
    if said == "told":
        with duckdb.connect(str(real.path)) as connection:
            [(reason,)] = connection.execute(
                "select reason from sent.keitaro_conversions where send_key = 'k0'"
            ).fetchall()
        assert "had it already and changed nothing" in reason
