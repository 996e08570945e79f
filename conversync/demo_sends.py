"""The demo's last act: conversions go out again, and what arrived is compared with what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from conversync import demo_places
from conversync.cli.output import Lines
from conversync.load import load
from conversync.send import reconcile
from conversync.send.options import options
from conversync.send.run import send
from conversync.types import Values
from conversync.vendors import LoadRequest, targets, vendors
from conversync.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from conversync.cli.screen import Screen

TARGETS = ("keitaro.conversions", "optibase.conversions")
# How the demo's players are called in the tracker.
SUBID = "app-"
# The demo's history is all its own: everything goes.
SINCE = "2000-01-01"
PLAYER_IDS = {
    "table main.player_ids": "Who a player is elsewhere: made by the demo, as your own database would know it.",
    "column main.player_ids.user_key": "The player at the offerwall, case folded.",
    "column main.player_ids.subid": "The click of the player in the tracker.",
    "column main.player_ids.tested_user_external_id": "The player in the A/B tool.",
}


def map_players(warehouse: Warehouse, players: Sequence[tuple[str, int]]) -> None:
    """Makes `main.player_ids`, which a user's own database would hold: who a player is elsewhere."""
    values = [value for key, number in players for value in (key, f"{SUBID}{number}", f"player-{number}")]
    with demo_places.writing(warehouse) as client:
        client.execute_sql("create schema if not exists main")
        client.execute_sql(
            "create table main.player_ids (user_key varchar, subid varchar, tested_user_external_id varchar)"
        )
        rows = ", ".join(["(%s, %s, %s)"] * len(players))
        client.execute_sql(f"insert into main.player_ids values {rows}", *values)  # noqa: S608 - places for values
        for place, text in PLAYER_IDS.items():
            client.execute_sql(f"comment on {place} is '{text}'")


def load_one(console: Screen, warehouse: Warehouse, name: str, today: str) -> None:
    """One run of one source; raises what it failed with."""
    [report] = load(warehouse, [vendors()[name]], LoadRequest(end=today), Lines(StringIO(), "text"))
    if report.error:
        raise report.error
    console.print(
        f"  {name:<22}{report.total('received'):>5,} read {report.total('added'):>5,} new "
        f"{report.total('reversals'):>5,} reversed"
    )


def send_all(console: Screen, warehouse: Warehouse) -> None:
    """Sends what is due to each target; raises what it failed with."""
    for name in TARGETS:
        with console.status(f"sending to {name} ..."):
            asked = options(name, outbox="besitos", since=SINCE)
            report = send(warehouse, targets()[name], asked, lambda _: None, lambda _: None)
        if report.error:
            raise report.error
        kinds = report.sent.kinds
        console.print(
            f"  {name:<22}{report.sent.sent:>5,} sent {kinds['new']:>5,} new {kinds['changed']:>5,} changed "
            f"{len(report.sent.rejected):>5,} refused"
        )


def ours(warehouse: Warehouse) -> Values:
    """By the ledgers: conversions at the tracker, rejected ones, the revenue that stands; those of the A/B tool."""
    with demo_places.reading(warehouse) as rows:
        [tracker] = rows(_TRACKER)
        [[counted]] = rows("select count(*) from sent.optibase_conversions where status = 'sent'")
    return (*tracker, counted)


def reconciled(console: Screen, warehouse: Warehouse) -> bool:
    """Prints what `conversync reconcile keitaro` finds; whether that is no difference."""
    found = reconcile.reconcile(warehouse, "keitaro")
    console.print(
        f"  Reconciled with the tracker's own log: {found.sent:,} sent, {found.agree:,} there as sent, "
        f"{len(found.differences):,} differences"
    )
    for one in found.differences[:5]:
        console.print(f"  {one.send_key}: {one.what}: sent {one.sent}, there {one.there}", markup=False)
    return not found.differences


_TRACKER = """
    select count(*), count(*) filter (where content ->> 'status' = 'rejected'),
           coalesce(
               sum(cast(content ->> 'payout' as decimal(18, 6))) filter (where content ->> 'status' <> 'rejected'), 0
           )
    from sent.keitaro_conversions where status = 'sent'
"""
