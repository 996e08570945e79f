"""`conversync demo`: nights from the sandbox, what an analyst then sees, and conversions sent back out."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum

from conversync import demo_books, demo_places, demo_sends
from conversync.build import build
from conversync.cli import screen
from conversync.cli.output import Lines
from conversync.errors import SettingsError
from conversync.extract.windows import DAY
from conversync.load import load
from conversync.report import write_report
from conversync.vendors import LoadRequest, vendors
from conversync.warehouse.publish import FOLDER, publish, published_path, report_path
from conversync.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from conversync.cli.screen import Screen
    from conversync.sandbox import Sandbox, World

DAYS = 75
NIGHTS = 3
# One player in so many is known to the tracker and the A/B tool.
MAPPED = 15
# Days between the first sending and the second: long enough for something to be taken back.
LATER = 7
# Every so many conversions reached neither the tracker nor us who could have sent them.
MISSED = 101
# The sandbox's vendors restate amounts up to a month later; a shorter lookback would not hear of all of them.
LOOKBACK_DAYS = 45
# When the nights' runs start, by the vendor's clock (fixed -05:00): shortly after its midnight.
RUN_AT = time(5, 30)


def demo(folder: Path, destination: str = "duckdb") -> int:
    """Writes `folder/warehouse.duckdb` anew and prints the story; 0 if our totals are the sandbox's, else 1.

    On a PostgreSQL it writes into the database of its credentials; SettingsError where anything of ours stands there.
    """
    from conversync.sandbox import Sandbox, World

    console = screen.console()
    warehouse = Warehouse((folder / "warehouse.duckdb").absolute(), destination)
    warehouse.check_destination()
    demo_places.refuse_what_stands(warehouse)
    shutil.rmtree(folder, ignore_errors=True)
    last = pendulum.instance(date.today())  # noqa: DTZ011 - a story that ends today, wherever that is
    world = World(start=last.subtract(days=DAYS - 1), days=DAYS)
    with Sandbox(world) as sandbox, _settings(sandbox, world, warehouse):
        _hide(sandbox)
        console.print(
            "[bold]Conversync demo[/bold]: an offerwall, its tracker, SMS funnels and goals, on loopback."
        )
        console.print("A backfill, then three nights, each as cron would run them.\n")
        for night in range(NIGHTS, -1, -1):
            _night(console, warehouse, sandbox, last.subtract(days=night + LATER), night)
        right = _compare(console, warehouse, sandbox)
        right = _reconcile(console, warehouse, sandbox) and right
        month = demo_books.last_month(last.subtract(days=LATER))
        demo_books.close(console, warehouse, month)
        right = _round_trip(console, warehouse, sandbox, last) and right
        right = demo_books.correct(console, warehouse, month) and right
        right = _for_analysts(console, warehouse) and right
        _closing(console, warehouse)
    return 0 if right else 1


def _hide(sandbox: Sandbox) -> None:
    """What the tracker never heard of: the players that the demo sends it later, and a few conversions more."""
    ours = replace(sandbox.keitaro.variants, misses=MISSED, misses_players=MAPPED)
    sandbox.keitaro.variants = ours


@contextmanager
def _settings(sandbox: Sandbox, world: World, warehouse: Warehouse) -> Iterator[None]:
    """The sandbox's settings, for as long as it stands; a person's own come back after."""
    first = str(world.start - DAY)
    ours = sandbox.settings() | {"BESITOS_ZONE": "EST"}
    ours |= {f"{vendor}_START_DATE": first for vendor in ("BESITOS", "INFOBIP", "KEITARO")}
    ours |= {f"{vendor}_LOOKBACK_DAYS": str(LOOKBACK_DAYS) for vendor in ("BESITOS", "INFOBIP", "KEITARO")}
    ours["CONVERSYNC_PUBLISHED"] = str(warehouse.path.parent / FOLDER / warehouse.path.name)
    before = dict(os.environ)
    for name in before:
        if any(vendor.upper() in name.upper() for vendor in vendors()):
            del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _night(console: Screen, warehouse: Warehouse, sandbox: Sandbox, today: date, night: int) -> None:
    """One run of all sources, as the vendors' clocks would have it; raises what a source failed with."""
    _clock(sandbox, today)
    if hiccup := night == 1:
        _hiccup(sandbox)
    with console.status(f"reading {today} ..."):
        reports = load(
            warehouse, list(vendors().values()), LoadRequest(end=str(today)), Lines(StringIO(), "text")
        )
    aside = "  [dim](Besitos failed twice, and was asked again)[/dim]" if hiccup else ""
    console.print(f"[bold]{'Backfill' if night == NIGHTS else 'Night'} of {today}[/bold]{aside}")
    for report in reports:
        if report.error:
            raise report.error
        console.print(
            f"  {report.dataset:<12}{report.total('received'):>7,} read {report.total('added'):>7,} new "
            f"{report.total('reversals'):>5,} reversed {report.total('restated'):>5,} restated"
        )


def _clock(sandbox: Sandbox, today: date) -> None:
    """It is the hour at which this day's run starts."""
    sandbox.world.now = datetime.combine(today, RUN_AT, sandbox.world.now.tzinfo)


def _round_trip(console: Screen, warehouse: Warehouse, sandbox: Sandbox, today: date) -> bool:
    """Conversions go out, a night later their reversals, and the tracker's own log is compared; whether all agrees."""
    names = [(player.id.lower(), number) for number, player in enumerate(sandbox.world.players[::MAPPED])]
    demo_sends.map_players(warehouse, names)
    console.print(
        "[bold]And back out[/bold]: the offerwall's conversions, to the tracker and to the A/B tool"
    )
    demo_sends.send_all(console, warehouse)
    console.print(f"[bold]Night of {today}[/bold], a week later")
    _clock(sandbox, today)
    demo_sends.load_one(console, warehouse, "besitos", str(today))
    demo_sends.send_all(console, warehouse)
    for name in ("keitaro", "infobip", "conductrics"):
        demo_sends.load_one(console, warehouse, name, str(today))
    [*tracker, counted] = demo_sends.ours(warehouse)
    events = [
        one for one in sandbox.keitaro.oracle.events().values() if one.sub_id.startswith(demo_sends.SUBID)
    ]
    kept = [one for one in events if one.status != "rejected"]
    theirs = (
        len(events),
        len(events) - len(kept),
        sum((one.revenue for one in kept), Decimal(0)),
        len(sandbox.optibase.received),
    )
    heads = ("sent to the tracker", "of them rejected", "revenue that stands", "sent to the A/B tool")
    _beside(console, "\nWhat was sent, beside the sandbox's own books", heads, (*tracker, counted), theirs)
    return demo_sends.reconciled(console, warehouse) and (*tracker, counted) == theirs


def _hiccup(sandbox: Sandbox) -> None:
    """The offerwall is overloaded for a moment, and a connection breaks in the middle of a page."""
    from conversync.sandbox import Fault

    sandbox.faults.add(Fault(path="*/partner/conversions", times=1, status=503, headers={"Retry-After": "1"}))
    sandbox.faults.add(Fault(path="*/partner/conversions", times=1, reset_after=2000))


def _compare(console: Screen, warehouse: Warehouse, sandbox: Sandbox) -> bool:
    """Prints net revenue by offer, and our totals beside the sandbox's own; whether they are equal to the cent."""
    oracle = sandbox.besitos.oracle.totals()
    with demo_places.reading(warehouse) as rows:
        [ours], offers, late = (rows(query) for query in (_TOTALS, _BY_OFFER, _LATE))
    theirs = (
        oracle.conversions,
        oracle.reversals,
        oracle.gross_payout,
        oracle.reversed_payout,
        oracle.net_payout,
    )
    _table(
        console,
        "\nNet revenue by offer (USD)",
        _OFFER_HEADS,
        [[_cell(value) for value in row] for row in offers],
    )
    names = ("conversions", "reversals", "gross payout", "reversed", "net revenue")
    _beside(console, "The offerwall: our warehouse beside the sandbox's own books", names, ours, theirs)
    for transaction, amount, days in late:
        console.print(
            f"  The newest reversal took back ${amount:,.2f} of transaction {transaction}, "
            f"known {days} days after it was earned."
        )
    return bool(ours == theirs)


def _reconcile(console: Screen, warehouse: Warehouse, sandbox: Sandbox) -> bool:
    """Prints offerwall and tracker joined on the transaction, beside the sandbox's own; whether they are equal."""
    with demo_places.reading(warehouse) as rows:
        [ours] = rows(_JOINED)
    wall, tracker = sandbox.besitos.oracle.statements(), sandbox.keitaro.oracle.revenue_by_tid()
    paid = {str(one.transaction_id): one.payout or Decimal(0) for one in wall.values() if not one.is_reversal}
    both = paid.keys() & tracker.keys()
    theirs = (
        len(both),
        sum((paid[tid] for tid in both), Decimal(0)),
        sum((tracker[tid] for tid in both), Decimal(0)),
    )
    names = ("transactions in both", "paid by the offerwall", "seen by the tracker")
    _beside(console, "\nOfferwall and tracker, joined on the transaction", names, ours, theirs)
    return bool(ours == theirs)


def _beside(
    console: Screen, title: str, names: Sequence[str], ours: Sequence[object], theirs: Sequence[object]
) -> None:
    lines = zip(names, ours, theirs, strict=True)
    cells = [(name, _cell(a), _cell(b), "=" if a == b else "NOT EQUAL") for name, a, b in lines]
    _table(console, title, ("", "warehouse", "sandbox", ""), cells)


def _cell(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(console: Screen, title: str, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    every = range(len(heads))
    console.print(
        screen.table(heads, lines, right=every[1:], unbroken=every, title=title, title_style="bold")
    )


def _for_analysts(console: Screen, warehouse: Warehouse) -> bool:
    """Models, their tests, the copy for readers and the report; whether every test passed."""
    try:
        with console.status("building the models ..."):
            built = build(warehouse)
    except SettingsError as missing:
        console.print(f"\nNo models and no report: {missing}", markup=False)
        return True
    for failure in built.failures:
        console.print(f"  {failure}", markup=False)
    console.print(
        f"\n[bold]For analysts[/bold]: {built.models} models built, {built.tests_passed} tests passed"
    )
    publish(warehouse)
    with console.status("drawing the report ..."):
        write_report(warehouse, report_path(warehouse))
    return not built.failures


def _closing(console: Screen, warehouse: Warehouse) -> None:
    copy, page = published_path(warehouse), report_path(warehouse)
    if copy:
        place, python = os.path.relpath(copy), os.path.relpath(sys.executable)
        command = f"{python} -c \"import duckdb; duckdb.connect('{place}').sql('{_QUERY}').show()\""
        console.print(f"The copy for readers is {place}. Ask it what was earned lately:\n", markup=False)
    else:
        command = f"{_QUERY};"
        console.print("The tables are in the database. Ask it (psql) what was earned lately:\n", markup=False)
    console.print(command, markup=False, style="cyan")
    if page.exists():
        console.print(f"\nThe report, for a browser: {os.path.relpath(page)}", markup=False)


_TOTALS = """
    select count(*) filter (where not is_orphan), count(*) filter (where is_reversed), coalesce(sum(payout), 0),
           coalesce(sum(reversed_payout), 0), coalesce(sum(net_payout), 0)
    from besitos.conversions
"""
_JOINED = """
    select count(*), sum(wall.payout), sum(tracker.revenue)
    from besitos.conversions as wall
    join keitaro.conversions as tracker on tracker.tid = cast(wall.transaction_id as varchar)
    where not wall.is_orphan
"""
_OFFER_HEADS = ("offer", "conversions", "reversed", "gross", "net")
_BY_OFFER = """
    select coalesce(offer_name, 'surveys'), count(*), count(*) filter (where is_reversed), sum(payout), sum(net_payout)
    from besitos.conversions group by 1 order by 5 desc limit 8
"""
_LATE = """
    select transaction_id, reversed_payout, days_until_known
    from besitos.conversions
    inner join besitos.reversals on cast(transaction_id as varchar) = conversion_id
    where days_until_known is not null
    order by known_on desc, reversals.occurred_on limit 1
"""
_QUERY = (
    "select occurred_on, sum(payout) as gross, sum(net_payout) as net "
    "from besitos.conversions group by 1 order by 1 desc limit 7"
)
