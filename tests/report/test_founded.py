"""What people read is founded: means, shares, lists of the documents, and what we sent ourselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from conversync.build import build
from tests.dbt.nights import ask
from tests.report.conftest import Built, at
from tests.report.pages import Element, Page
from tests.report.test_figures import CONVERSIONS, reading

WINDOW_ENDS = """
    select least(window_end, cast(timezone('EST', read_at) as date)) from besitos.windows
    where stream = 'conversions'
"""


def test_a03_a_mean_is_of_seven_days_that_were_read_whole(
    changed: Callable[..., Page], built: Built, tmp_path: Path
) -> None:
    """Unread days are no zeros: the line breaks there, they are hatched, what is not over is hollow, in both sizes."""
    page = changed(
        f"delete from keitaro.windows where {CONVERSIONS}",
        reading("keitaro", at(-1), at(10)),
        reading("keitaro", at(12), at(39)),
    )
    rows = ask(
        tmp_path / "warehouse.duckdb",
        f"""select occurred_on, state, net_revenue, mean_of_seven_days
        from ({page.queries()["revenue_daily"]}) as daily where account = 'keitaro'""",
    )
    state = {day: told for day, told, _, _ in rows}
    assert (state[at(10)], state[at(11)], state[at(39)]) == ("never", "never", "open")
    whole = {day for day in state if state[day] == "whole"}
    known = {day for day, _, _, mean in rows if mean is not None}
    assert known == {day for day in whole if all(day - timedelta(days=back) in whole for back in range(7))}
    assert not known & {at(number) for number in range(10, 18)}
    net = {day: value for day, _, value, _ in rows}
    expected = sum(net[at(number)] for number in range(20, 27)) / 7
    assert [mean for day, _, _, mean in rows if day == at(26)] == [pytest.approx(float(expected), abs=0.005)]
    for kind in ("desk", "phone"):
        keitaro = list(page.section("revenue").all("svg", class_=f"for-{kind}"))[-1]
        [pattern] = keitaro.all("pattern")
        filled = [
            one for one in keitaro.all("path") if pattern.attributes["id"] in one.attributes.get("fill", "")
        ]
        assert len(filled) == 2
        hollow = [
            one for one in keitaro.all("path") if "fill:var(--paper);stroke:var(--orange)" in style(one)
        ]
        assert len(hollow) == 3
        # Two stretches of days that are whole, each a line of its own: the path begins twice.
        [line] = [one for one in keitaro.all("path") if style(one) == "stroke:var(--ink)"]
        assert line.attributes["d"].count("M") == 2
    assert "never read" in page.section("revenue").text
    whole_page = built.page.section("revenue")
    assert not list(whole_page.all("pattern"))


def style(element: Element) -> str:
    return element.attributes.get("style", "")


@pytest.mark.more
def test_a04_what_we_sent_is_told_apart(changed: Callable[..., Page], tmp_path: Path) -> None:
    """Conversions that the tracker has from us are a fainter part of their day, in words too; and dbt flags them."""
    page = changed(
        "create schema sent",
        "create table sent._dlt_loads as select 'one' as load_id, 0 as status, now() as inserted_at",
        f"""create table sent.keitaro_conversions as
        select 'k' || conversion_id as send_key, if(conversion_id like '%1', 'rejected', 'sent') as status,
            null as reason, 1 as attempts, now() as first_sent_at, now() as sent_at, 'one' as _dlt_load_id,
            json_object('subid', sub_id, 'tid', tid) as content
        from keitaro.conversions where tid is not null and sub_id is not null and occurred_on >= '{at(30)}'""",
    )
    assert "sent there by us" not in page.section("revenue").text
    path = tmp_path / "warehouse.duckdb"
    assert build(path, run_tests=False).failures == []
    ours, revenue = ask(
        path,
        """select count(*), sum(net_revenue) from marts.conversions
        where is_sent_by_us and vendor = 'keitaro'""",
    )[0]
    [[sent]] = ask(path, "select count(*) from sent.keitaro_conversions where status = 'sent'")
    assert ours == sent > 5
    page = changed()
    text = page.section("revenue").text
    assert (
        f"USD\u00a0{revenue:,.2f} of it is {ours} conversions that conversync send told the tracker" in text
    )
    keitaro = list(page.section("revenue").all("svg", class_="for-desk"))[-1]
    assert [one for one in keitaro.all("path") if one.attributes.get("fill-opacity") == "0.45"]
    # One basis: the best day is the tallest column, as the total is of all columns; what of it is ours stands beside.
    best, sent_then = ask(
        path,
        """select sum(net_revenue), sum(if(is_sent_by_us, net_revenue, 0)) from marts.conversions
        where vendor = 'keitaro' group by occurred_on order by 1 desc limit 1""",
    )[0]
    assert sent_then, "the best day has nothing of ours: the test is too weak"
    assert f"with USD\u00a0{best:,.2f}, USD\u00a0{sent_then:,.2f} of it sent there by us." in text


def test_a01_what_was_reversed_this_week_is_what_the_vendor_says_after_a_first_load(built: Built) -> None:
    """The documented queries, after a first load of all history: the vendor's own dates, each conversion once."""
    begins = date.today() - timedelta(days=6)  # noqa: DTZ011 - as the query's current_date
    statements = built.sandbox.besitos.oracle.statements().values()
    originals = {one.transaction_id for one in statements if not one.is_reversal}
    expected = sum(
        one.is_reversal
        and one.transaction_id in originals
        and date.fromisoformat(one.date_time[:10]) >= begins
        for one in statements
    )
    everything = sum(one.is_reversal and one.transaction_id in originals for one in statements)
    assert 0 < expected < everything
    for document in ("docs/analysts.md", "dbt/README.md"):
        [query] = [one for one in documented(document) if "reversal_known_on >" in one]
        assert len(ask(built.warehouse, query)) == expected, document


def test_a01_the_other_documented_figures_are_the_books(built: Built) -> None:
    """Yesterday's net by offer adds up to the vendor's; no day is missing; what the tracker misses is what it lacks."""
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        [[yesterday]] = connection.execute("select current_date - 1").fetchall()
    statements = list(built.sandbox.besitos.oracle.statements().values())
    earned = {one.transaction_id: one for one in statements if not one.is_reversal}
    back = {one.transaction_id: abs(one.payout or Decimal(0)) for one in statements if one.is_reversal}
    net = sum(
        (
            (one.payout or Decimal(0)) - back.get(number, Decimal(0))
            for number, one in earned.items()
            if one.occurred_on == yesterday
        ),
        Decimal(0),
    )
    tracked = set(built.sandbox.keitaro.oracle.revenue_by_tid())
    today = datetime.now(UTC).date()
    lacking = {str(number) for number, one in earned.items() if one.occurred_at.date() < today} - tracked
    assert net > 0
    for document in ("README.md", "docs/analysts.md", "dbt/README.md"):
        [query] = [one for one in documented(document) if "occurred_on = current_date - 1" in one]
        assert sum(row[-1] for row in ask(built.warehouse, query)) == net, document
        [misses] = [one for one in documented(document) if "outcome = 'missing in tracker'" in one]
        assert {str(row[0]) for row in ask(built.warehouse, misses)} == lacking, document
    [days] = [one for one in documented("docs/analysts.md") if "from marts.days" in one]
    assert ask(built.warehouse, days) == []


def test_a02_lateness_is_of_cohorts_that_were_watched_equally_long(built: Built) -> None:
    """Worked out anew from the rows: of days watched so long, what became known within as many; n is told."""
    first, last = at(-1), max(day for [day] in ask(built.warehouse, WINDOW_ENDS))
    watched = min(180, (last - first).days // 2)
    rows = ask(
        built.warehouse,
        """select occurred_on, days_until_known from marts.conversions
        where vendor = 'besitos' and is_reversed and not is_orphan""",
    )
    days = sorted(
        late for day, late in rows if late is not None and late <= watched and (last - day).days >= watched
    )
    assert len(days) < len(rows)
    half = days[(len(days) - 1) // 2] if len(days) >= 10 else None
    most = days[-(-95 * len(days) // 100) - 1] if len(days) >= 20 else None
    [found] = ask(
        built.warehouse,
        """select watched_days, reversals, days_for_half, days_for_95_percent, days_for_99_percent,
            days_for_99_9_percent, all_reversals from marts.reversal_lookback where vendor = 'besitos'""",
    )
    assert found == (watched, len(days), half, most, None, None, len(rows))


@pytest.mark.more
def test_a02_no_share_is_claimed_that_the_number_does_not_carry(changed: Callable[..., Page]) -> None:
    """133 reversals: half and 95 % and 99 % with their n, no 99.9 %, and no day is called final; of nine, nothing."""
    change = "update marts.reversal_lookback set reversals = {}, days_for_half = {}, days_for_95_percent = {}"
    where = "where vendor = 'besitos'"
    page = changed(f"{change.format(133, 9, 40)}, days_for_99_percent = 52 {where}")
    said = page.section("reversals").text
    assert "Of 133 reversals of Besitos's days that were watched for" in said
    assert "half were known within 9 days, 95% were known within 40 and 99% were known within 52" in said
    assert "A week is called settled when its last day is more than 40 days old." in said
    assert "99.9% were" not in said
    assert "final" not in page.root.text
    assert "thirty days" not in said
    weeks = next(one for one in page.tables("reversals_weekly") if "Besitos" in one.caption).rows
    last = next(iter(ask_period(page)))
    for week in weeks:
        end = date.fromisoformat(week["week"]) + timedelta(days=6)
        assert week["is_rising"] == ("rising" if (last - end).days < 40 else "settled")
    assert any("Lateness" in label for label in page.figures())
    page = changed(f"{change.format(9, 'null', 'null')}, days_for_99_percent = null {where}")
    assert "cannot be said yet: there are 9 reversals" in page.section("reversals").text
    assert not any("Lateness" in label for label in page.figures())


def ask_period(page: Page) -> Iterator[date]:
    """The last day of a report, as its queries name it."""
    for found in re.findall(r"and date '(\d{4}-\d\d-\d\d)'", page.queries()["reversals_weekly"]):
        yield date.fromisoformat(found)


def documented(page: str) -> list[str]:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return [query for block in blocks for query in block.split(";") if query.strip()]


def test_s22_an_offerwall_in_two_currencies_is_never_summed(
    changed: Callable[..., Page], tmp_path: Path
) -> None:
    """Counts are of both, amounts stand beside one another: in the head, the pictures, the months and the outcomes."""
    page = changed(
        f"""insert into marts.conversions_daily
        select * replace (daily_key || 'EUR' as daily_key, 'EUR' as currency, 3 as conversions, 1 as reversals,
            1000 as gross_revenue, 250 as reversed_revenue, 750 as net_revenue)
        from marts.conversions_daily where vendor = 'besitos' and occurred_on = '{at(20)}'""",
        f"""insert into marts.reversal_cohorts
        select * replace (cohort_key || 'EUR' as cohort_key, 'EUR' as currency, 3 as conversions, 1 as reversals)
        from marts.reversal_cohorts where vendor = 'besitos' and occurred_on = '{at(20)}'""",
        f"""insert into marts.reconciliation
        select * replace (transaction_id || 'EUR' as transaction_id, 'EUR' as offerwall_currency,
            'currencies differ' as outcome, null as gross_difference, null as net_difference)
        from marts.reconciliation where occurred_on = '{at(20)}' limit 1""",
    )
    group = next(
        one
        for one in page.root.one("dl", class_="figures").all("div")
        if one.one("dt").text == "Reversed, Besitos"
    )
    totals = {
        row[0]: row[1:]
        for row in ask(
            tmp_path / "warehouse.duckdb",
            """select currency, sum(conversions), sum(reversals), sum(reversed_revenue)
            from marts.conversions_daily where vendor = 'besitos' group by currency""",
        )
    }
    assert totals.keys() == {"EUR", "USD"}
    says = group.one("dd", class_="says").text
    assert f"{totals['USD'][1] + 1} of {totals['USD'][0] + 3} conversions were taken back" in says
    assert "EUR\u00a0250.00" in says
    assert f"USD\u00a0{totals['USD'][2]:,.2f}" in says
    captions = [table.caption for table in page.tables("revenue_monthly")]
    assert {"Besitos by month, in USD", "Besitos by month, in EUR"} <= set(captions)
