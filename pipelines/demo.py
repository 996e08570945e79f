"""`conversync demo`: a backfill and three nights from the sandbox, and what an analyst then sees."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.load import SourceReport, load
from pipelines.report import Lines
from pipelines.report import console as standard_output
from pipelines.vendors import Asked, vendors
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from sandbox import Sandbox, World

DAYS = 75
NIGHTS = 3
# The sandbox's wall restates amounts up to a month later; a shorter lookback would not hear of all of them.
LOOKBACK_DAYS = 45
# When the nights' runs start, by the vendor's clock (fixed -05:00): shortly after its midnight.
RUN_AT = time(5, 30)


def demo(folder: Path) -> int:
    """Writes `folder/warehouse.duckdb` anew and prints the story; 0 if our totals are the sandbox's, else 1."""
    from sandbox import Sandbox, World

    console = standard_output()
    shutil.rmtree(folder, ignore_errors=True)
    warehouse = Warehouse((folder / "warehouse.duckdb").absolute())
    last = date.today()  # noqa: DTZ011 - a story that ends today, wherever that is
    world = World(start=last - timedelta(days=DAYS - 1), days=DAYS)
    with Sandbox(world) as sandbox, _settings(sandbox, world):
        console.print("[bold]Conversync demo[/bold]: a small offerwall on loopback, told by the sandbox.\n")
        for night in range(NIGHTS, -1, -1):
            today = last - timedelta(days=night)
            world.now = datetime.combine(today, RUN_AT, world.now.tzinfo)
            if night == 1:
                _hiccup(sandbox)
            [report] = load(
                warehouse, [vendors()["besitos"]], Asked(end=str(today)), Lines(StringIO(), "text")
            )
            if report.error:
                raise report.error
            _tell(console, report, today, first=night == NIGHTS, hiccup=night == 1)
        right = _compare(console, warehouse, sandbox)
    _closing(console, warehouse)
    return 0 if right else 1


@contextmanager
def _settings(sandbox: Sandbox, world: World) -> Iterator[None]:
    """The sandbox's address and token as settings, for as long as it stands; the person's own come back after."""
    ours = {
        "BESITOS_URL": sandbox.url,
        "BESITOS_TOKEN": sandbox.token,
        "BESITOS_PARTNER_ID": sandbox.besitos.partner_id,
        "BESITOS_ZONE": "EST",
        "BESITOS_LOOKBACK_DAYS": str(LOOKBACK_DAYS),
        "BESITOS_START_DATE": str(world.start - timedelta(days=1)),
    }
    before = dict(os.environ)
    for name in [name for name in before if "BESITOS" in name]:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _hiccup(sandbox: Sandbox) -> None:
    """The vendor is overloaded for a moment, and a connection breaks in the middle of a page."""
    from sandbox import Fault

    sandbox.faults.add(Fault(times=1, status=503, headers={"Retry-After": "1"}))
    sandbox.faults.add(Fault(times=1, reset_after=2000))


def _tell(console: Any, report: SourceReport, today: date, *, first: bool, hiccup: bool) -> None:
    figures = (
        f"{report.total('received'):>6,} read  {report.total('added'):>6,} new  "
        f"{report.total('reversals'):>4,} reversals  {report.total('restated'):>3,} restated"
    )
    what = f"backfill to {today}" if first else f"night of    {today}"
    aside = "   [dim]the vendor failed twice, and was asked again[/dim]" if hiccup else ""
    console.print(f"  {what}{figures}{aside}")


def _compare(console: Any, warehouse: Warehouse, sandbox: Sandbox) -> bool:
    """Prints our totals beside the sandbox's own, and net revenue by offer; whether they are equal to the cent."""
    import duckdb

    oracle = sandbox.besitos.oracle.totals()
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        [ours] = connection.execute(_TOTALS).fetchall()
        offers = connection.execute(_BY_OFFER).fetchall()
        late = connection.execute(_LATE).fetchall()
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
    lines = zip(
        ("conversions", "reversals", "gross payout", "reversed", "net revenue"), ours, theirs, strict=True
    )
    cells = [(name, _cell(a), _cell(b), "=" if a == b else "NOT EQUAL") for name, a, b in lines]
    _table(console, "\nThe warehouse beside the sandbox's own books", ("", "warehouse", "sandbox", ""), cells)
    for transaction, amount, days in late:
        console.print(
            f"\n  The latest reversal took back ${amount:,.2f} of transaction {transaction}, "
            f"earned {days} days before we learned of it."
        )
    return bool(ours == theirs)


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(console: Any, title: str, heads: tuple[str, ...], lines: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _closing(console: Any, warehouse: Warehouse) -> None:
    place, python = os.path.relpath(warehouse.path), os.path.relpath(sys.executable)
    command = f"{python} -c \"import duckdb; duckdb.connect('{place}').sql('{_QUERY}').show()\""
    console.print(f"\nThe warehouse is {place}. Ask it what was earned lately:\n", markup=False)
    console.print(command, markup=False, style="cyan")


_TOTALS = """
    select count(*) filter (not is_orphan), count(*) filter (is_reversed), coalesce(sum(payout), 0),
           coalesce(sum(reversed_payout), 0), coalesce(sum(net_payout), 0)
    from besitos.conversions
"""
_OFFER_HEADS = ("offer", "conversions", "reversed", "gross", "net")
_BY_OFFER = """
    select coalesce(offer_name, 'surveys'), count(*), count(*) filter (is_reversed), sum(payout), sum(net_payout)
    from besitos.conversions group by 1 order by 5 desc limit 8
"""
_LATE = """
    select transaction_id, reversed_payout, date_diff('day', occurred_on, cast(reversed_at as date))
    from besitos.conversions where is_reversed and not is_orphan
    order by reversal_seen_at desc, occurred_on limit 1
"""
_QUERY = (
    "select occurred_on, sum(payout) as gross, sum(net_payout) as net "
    "from besitos.conversions group by 1 order by 1 desc limit 7"
)
