"""The figures on the page are the warehouse's, and the sandbox's own books."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from conversync.report import charts
from conversync.report.numbers import NOTHING
from conversync.report.picture import picture
from tests.dbt.nights import ask
from tests.report.conftest import Built, at
from tests.report.pages import Page

CONVERSIONS = "stream = 'conversions'"


def test_every_table_is_what_its_query_answers(built: Built) -> None:
    """The SQL that the page shows, run as it stands, gives the rows of the tables beside it, value by value."""
    page = built.page
    shown = set()
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set threads = 1")
        for name, sql in page.queries().items():
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description]
            answered = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            rows = [row for table in page.tables(name) for row in table.rows]
            assert len(rows) in (0, len(answered)), name
            for row, expected in zip(rows, answered, strict=False):
                shown.add(name)
                for column, value in row.items():
                    if type(expected[column]) in (int, float, Decimal):
                        assert value == str(expected[column]), (name, column)
    assert len(shown) >= 10


def test_revenue_is_the_sandboxs_books(built: Built) -> None:
    """Month by month and day by day, Besitos' figures add up to the vendor's own totals, to the cent."""
    oracle = built.sandbox.besitos.oracle.totals()
    page = built.page
    for query in ("revenue_monthly", "revenue_daily"):
        [table] = [one for one in page.tables(query) if one.caption.startswith("Besitos")]
        net = sum(Decimal(row["net_revenue"]) for row in table.rows)
        gross = sum(Decimal(row["gross_revenue"]) for row in table.rows)
        assert (net, gross) == (oracle.net_payout, oracle.gross_payout)
        assert sum(int(row["conversions"]) for row in table.rows) == oracle.conversions
        assert table.heads["net_revenue"].endswith("(USD)")
    assert page.figures()["Net revenue, Besitos"] == f"USD {oracle.net_payout:,.2f}"


def test_reversals_and_reconciliation_are_the_marts(built: Built) -> None:
    """The counts in the head and in the sections are those of the warehouse's rows."""
    page = built.page
    [[reversed_, all_]] = ask(
        built.warehouse,
        """select count(*) filter (is_reversed), count(*) from marts.conversions
        where vendor = 'besitos' and not is_orphan""",
    )
    assert reversed_ > 0
    weekly = next(one for one in page.tables("reversals_weekly") if "Besitos" in one.caption)
    assert sum(int(row["reversals"]) for row in weekly.rows) == reversed_
    assert page.figures()["Reversed, Besitos"] == f"{100 * reversed_ / all_:.1f}%"
    outcomes = dict(ask(built.warehouse, "select outcome, count(*) from marts.reconciliation group by 1"))
    [table] = page.tables("reconciliation")
    assert {row["outcome"].lower(): int(row["transactions"]) for row in table.rows} == outcomes


def test_the_funnel_is_the_vendors(built: Built) -> None:
    """Started and converted of each pair are the sums of the days that the vendor told of."""
    expected = ask(
        built.warehouse,
        """select sum(start_count), sum(end_count) from infobip.conversion_rates
        group by process_key, start_tag, end_tag""",
    )
    [table] = built.page.tables("sms_pairs")
    found = [(int(row["start_count"]), int(row["end_count"])) for row in table.rows]
    assert sorted(found) == sorted(expected)


def test_offers_are_in_order_with_their_goals(built: Built) -> None:
    """The first offer is the one that earned most; every goal that is told has its conversions."""
    [[name, net]] = ask(
        built.warehouse,
        """select any_value(offer_name), sum(net_revenue) from marts.conversions
        where vendor = 'besitos' and not is_orphan group by offer_id order by 2 desc limit 1""",
    )
    table = next(one for one in built.page.tables("offers") if "Besitos" in one.caption)
    assert table.rows[0]["offer_name"] == name
    assert Decimal(table.rows[0]["net_revenue"]) == net
    assert len(table.rows) == 10
    [goals] = built.page.tables("offer_goals")
    assert len({row["offer_name"] for row in goals.rows}) == 10
    assert {row["goal"] for row in goals.rows} >= {"Successfully Installed the App"}


@pytest.mark.more
def test_currencies_are_never_added(changed: Callable[..., Page]) -> None:
    """A second currency has a figure, a picture and tables of its own; the first one's amounts do not change."""
    page = changed(
        f"""insert into marts.conversions_daily
        select * replace (daily_key || 'EUR' as daily_key, 'EUR' as currency,
            1000 as net_revenue, 1000 as gross_revenue, 0 as reversed_revenue)
        from marts.conversions_daily where vendor = 'keitaro' and occurred_on = '{at(20)}'""",
        f"""insert into marts.conversions
        select * replace (conversion_key || 'EUR' as conversion_key, 'EUR' as currency, 1000 as net_revenue)
        from marts.conversions where vendor = 'keitaro' and occurred_on = '{at(20)}' limit 1""",
        """update marts.reconciliation set tracker_currency = 'EUR', outcome = 'currencies differ',
        gross_difference = null, net_difference = null
        where transaction_id = (select min(transaction_id) from marts.reconciliation)""",
    )
    captions = [table.caption for table in page.tables("revenue_monthly")]
    assert captions == ["Besitos by month, in USD", "Keitaro by month, in USD", "Keitaro by month, in EUR"]
    figures = [group.text for group in page.root.one("dl", class_="figures").all("dd", class_="value")]
    assert "EUR 1,000.00" in figures
    [outcomes] = page.tables("reconciliation")
    [row] = [row for row in outcomes.rows if row["outcome"] == "Currencies differ"]
    assert row["net_difference"] == NOTHING
    ids = [svg.attributes["aria-label"] for svg in page.section("revenue").all("svg", class_="for-desk")]
    assert len(ids) == 3


def test_days_read_short_and_never_read_are_told(changed: Callable[..., Page]) -> None:
    """Rows that were announced and did not come, and days that no reading covers, are in the counts and in the head."""
    page = changed(
        f"delete from keitaro.windows where {CONVERSIONS}",
        reading("keitaro", at(-1), at(10)),
        reading("keitaro", at(12), at(15), missing=2),
        reading("keitaro", at(15), at(39)),
    )
    [row] = [row for row in streams(page) if row["stream"] == "conversions" and row["short"] != "0"]
    # The tenth is the last day of its window, and no other covers it; the eleventh was never asked for.
    assert (row["short"], row["never"], row["open"]) == ("3", "2", "1")
    assert "2 days of a source never read and 3 days read short by 2 rows (Keitaro)" in told(page)
    assert page.figures()["Days missing"] == "5"
    calendars = page.section("completeness").all("figure", class_="calendar")
    [drawn] = [one.one("figcaption").text for one in calendars if one.one("h3").text == "Keitaro"]
    assert "1 day read, not over yet, 3 days read short, 2 days never read and" in drawn


@pytest.mark.more
def test_a_narrowed_reading_tells_nothing_of_a_day(changed: Callable[..., Page]) -> None:
    """Days that were read for one user only count as never read."""
    page = changed(
        "delete from besitos.windows where stream = 'conversions'",
        reading("besitos", at(-1), at(20)),
        reading("besitos", at(39), at(39)),
        reading("besitos", at(20), at(39), filters='{"user_id":"u"}'),
    )
    [row] = [row for row in streams(page) if row["stream"] == "conversions" and row["never"] != "0"]
    assert row["never"] == str((today_at_besitos() - at(20)).days)


def test_a_day_counts_as_whole_only_when_it_was_over(changed: Callable[..., Page]) -> None:
    """A window that reaches into the future makes no day whole that was not over in the vendor's zone."""
    read = datetime.combine(at(30), time(3), UTC)  # still the day before in Besitos' zone
    page = changed(
        "delete from besitos.windows where stream = 'conversions'",
        reading("besitos", at(-1), at(60), read_at=read),
    )
    [row] = [row for row in streams(page) if row["stream"] == "conversions" and row["whole"] == "30"]
    # From the day of that reading to yesterday nobody read it.
    assert (row["never"], row["open"]) == (str((today_at_besitos() - at(29)).days), "1")


def today_at_besitos() -> date:
    return datetime.now(UTC).astimezone(timezone(timedelta(hours=-5))).date()


def reading(
    vendor: str,
    start: date,
    end: date,
    *,
    missing: int = 0,
    filters: str = "{}",
    read_at: datetime | None = None,
) -> str:
    """The statement that adds a reading of conversions to a source's evidence; five rows were announced."""
    load = f"(select max(load_id) from {vendor}._dlt_loads where status = 0)"
    when = "now()" if read_at is None else f"timestamptz '{read_at}'"
    return f"""insert into {vendor}.windows
        (stream, window_start, window_end, read_at, filters, announced, received, missing, _dlt_load_id)
    values ('conversions', '{start}', '{end}', {when}, '{filters}', 5, {5 - missing}, {missing}, {load})"""


def streams(page: Page) -> list[dict[str, str]]:
    [table] = page.tables("streams")
    return table.rows


def told(page: Page) -> str:
    return page.section("completeness").one("p", class_="finding").text


def test_rows_set_aside_and_sends_in_doubt_are_told(changed: Callable[..., Page]) -> None:
    """Like reasons are counted together, the row itself is not shown, and what is in doubt is listed."""
    load = "(select max(load_id) from besitos._dlt_loads where status = 0)"
    page = changed(
        f"""insert into besitos.rejected_rows
            (raw_hash, raw, reason, stream, window_start, window_end, first_seen, last_seen, times_seen, _dlt_load_id)
        select 'hash' || n, '{{"user_id": "Somebody"}}', 'superseded: another row of ' || n || ':original came',
            'conversions', '2026-01-01', '2026-01-09', now(), now(), 1, {load} from range(3) as rows (n)""",
        "insert into besitos.rejected_rows (raw_hash, reason, _dlt_load_id) values ('of no load', 'no', 'x')",
        "create schema sent",
        "create table sent._dlt_loads as select 'one' as load_id, 0 as status",
        """create table sent.optibase_conversions as select 'key<' || n as send_key,
            case when n = 0 then 'in_doubt' else 'sent' end as status, 1 as attempts, 'no answer' as reason,
            now() as first_sent_at, now() as sent_at, 'one' as _dlt_load_id from range(4) as rows (n)""",
    )
    [reasons] = page.tables("rejected")
    assert [(row["reason"], row["rows_set_aside"]) for row in reasons.rows] == [
        ("Superseded: another row of … came", "3")
    ]
    assert "Somebody" not in page.source
    [sends] = page.tables("sends")
    assert {row["status"]: row["sends"] for row in sends.rows} == {"in doubt": "1", "sent": "3"}
    [doubt] = page.tables("sends_in_doubt")
    assert [row["send_key"] for row in doubt.rows] == ["key<0"]
    assert "1 send in doubt" in page.section("sends").text


@pytest.mark.more
def test_a_load_after_the_build_is_told(changed: Callable[..., Page], built: Built) -> None:
    """Where the marts are older than the last load, the head says so."""
    told = "Something was loaded after the marts were built"
    assert told not in built.page.source
    assert told in changed("update besitos.windows set read_at = now() + interval 1 day").source


@pytest.mark.more
def test_the_same_warehouse_gives_the_same_page(built: Built, tmp_path: Path) -> None:
    """Made again by another process in another zone, the page differs in the time it was made, and no more."""
    script = (
        "import sys; from pathlib import Path; from conversync.report import write_report; "
        "write_report(Path(sys.argv[1]), Path(sys.argv[2]), zones={'besitos': 'EST', 'keitaro': 'UTC'})"
    )
    again = tmp_path / "again.html"
    environment = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script, built.warehouse, again], env=environment, check=True)
    first, second = built.page.source.splitlines(), again.read_text(encoding="utf-8").splitlines()
    differing = [(one, other) for one, other in zip(first, second, strict=True) if one != other]
    assert len(differing) == 1
    [[one, other]] = differing
    assert 'id="made"' in one
    assert one.partition("Made by")[0] == other.partition("Made by")[0]


@pytest.mark.parametrize("name", ["desk", "phone", "all"])
def test_no_colour_is_fixed(built: Built, name: str) -> None:
    """Every colour of every picture is one of the page's variables, so that it follows dark mode."""
    for svg in built.page.root.all("svg", class_=f"for-{name}"):
        for kind in ("path", "text", "line", "rect", "g"):
            for element in svg.all(kind):
                for paint in ("fill", "stroke"):
                    assert element.attributes.get(paint, "none") in {"none", "transparent"}


def test_weeks_are_named_by_their_mondays() -> None:
    """Each tick of a chart by weeks is a Monday of its weeks: none lies after the last of them."""
    mondays = [date(2026, 9, 7) + timedelta(weeks=week) for week in range(12)]
    rows = [{"week": monday, "outcome": "amounts apart", "transactions": 2} for monday in mondays]
    drawn = picture(charts.differences(rows), "", "test")
    ticks = set(re.findall(r">(\d+ (?:Sep|Oct|Nov|Dec))<", str(drawn)))
    assert len(ticks) > 4
    assert ticks <= {f"{monday:%-d %b}" for monday in mondays}
