"""The page from a PostgreSQL is the page from a DuckDB file of the same nights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from conversync.build import build
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.report import opening, write_report
from conversync.sandbox import Sandbox, World
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.cluster import Cluster, binary, cluster
from tests.dbt.nights import Story
from tests.houses import environment
from tests.report.conftest import DAYS, EVIL, MADE, START, ZONES, at
from tests.report.pages import Page, alike
from tests.support import command

pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]
NIGHTS = (30, DAYS - 1)
# What no night of the sandbox brings: names in all kinds of letters, ties, no offer, rows set aside, sends.
NAMED = EVIL.replace("'", "''")
MARTS = f"""
    update marts.conversions set offer_id = 'Zeta ' || offer_id where transaction_id like '%1';
    update marts.conversions set offer_id = 'alpha ' || offer_id where transaction_id like '%2';
    update marts.conversions set offer_id = 'Älpha ' || offer_id where transaction_id like '%3';
    update marts.conversions set net_revenue = 1000 where offer_id like '%lpha %' or offer_id like 'Zeta %';
    update marts.conversions set offer_id = null where transaction_id like '%4' and vendor = 'besitos';
    update marts.goal_catalogue set name = code || '{NAMED}', agent_names = null where code like '%1%';
    update marts.reconciliation set outcome = 'amounts apart', tracker_currency = 'EUR' where transaction_id like '%5';
    delete from keitaro.windows where stream = 'conversions' and window_start > date '{at(DAYS - 4)}'
"""
EARLY, LATE = (f"cast('{at(day)} 06:00:00+00' as timestamp with time zone)" for day in (5, 6))
ASIDE = """
    insert into besitos.rejected_rows (raw_hash, reason, stream, window_start, window_end, first_seen, last_seen,
        times_seen, _dlt_load_id)
    select '{hash}', '{reason}', 'conversions', date '{day}', date '{day}', {EARLY}, {LATE}, 2, max(load_id)
    from besitos._dlt_loads where status = 0
"""
SENT = """
    create table sent.{target} as
    select
        'k' || conversion_id as send_key,
        case when conversion_id like '%1' then 'in_doubt' else 'sent' end as status,
        case when conversion_id like '%11' then 'it ended' end as reason,
        1 as attempts, {EARLY} as first_sent_at, {LATE} as sent_at, 'one' as _dlt_load_id
    from keitaro.conversions
"""
REASONS = {
    "f": 'payout is "none of 12"',
    "F": 'payout is "a word"',
    "0": "Payout is 12.50",
    "a": "no date",
}
CHANGES = (
    *MARTS.split(";\n"),
    *(
        ASIDE.format(hash=letter * 32, reason=reason, day=at(3), EARLY=EARLY, LATE=LATE)
        for letter, reason in REASONS.items()
    ),
    "create schema sent",
    "create table sent._dlt_loads as select 'one' as load_id, 0 as status",
    *(SENT.format(target=target, EARLY=EARLY, LATE=LATE) for target in ("keitaro_conversions", "acme_logs")),
)


@dataclass
class Both:
    """One story in two places."""

    path: Path
    database: Cluster
    folder: Path

    @property
    def server(self) -> Warehouse:
        """The second place."""
        return Warehouse(self.path, "postgres")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Two nights of four vendors in each, built; the server sorts texts as people do, and keeps another time."""
    folder = tmp_path_factory.mktemp("both")
    world = World(start=START, days=DAYS, players=60, conversions_a_day=8)
    with cluster("--locale-provider=icu", "--icu-locale=en-US") as database, Sandbox(world) as sandbox:
        database.outside("alter system set timezone = 'America/New_York'", "select pg_reload_conf()")
        place = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, "HOME": str(folder)}
        file, server = (
            Story(sandbox, folder / "warehouse.duckdb", destination) for destination in ("duckdb", "postgres")
        )
        with environment(place):
            for night in NIGHTS:
                file.night(night)
                server.night(night)
            made = Both(file.path, database, folder)
            assert build(made.path, run_tests=False).failures == []
            report = build(made.server)
            assert (report.failures, report.warnings, report.skipped) == ([], [], 0)
            yield made


def test_the_page_is_the_same(both: Both, tmp_path: Path) -> None:
    """Byte for byte, but for what `alike` takes out: rows, their order, decimals, days, pictures and queries."""
    pages = {place: tmp_path / f"{place}.html" for place in ("duckdb", "postgres")}

    def written() -> None:
        write_report(both.path, pages["duckdb"], zones=ZONES, now=MADE)
        summary = write_report(both.server, pages["postgres"], zones=ZONES, now=MADE)
        assert summary.pictures > 8
        one, other = (alike(page).splitlines() for page in pages.values())
        assert one == other

    written()
    with duckdb.connect(str(both.path)) as connection:
        for statement in CHANGES:
            connection.execute(statement)
    both.database.outside(*CHANGES)
    written()
    page = Page(pages["postgres"])
    assert all(vendor in page.root.text for vendor in ("Besitos", "Infobip", "Conductrics", "Keitaro"))
    for query in (
        "offers",
        "offer_goals",
        "rejected",
        "rejected_newest",
        "sends",
        "sends_in_doubt",
        "differences",
    ):
        assert [row for table in page.tables(query) for row in table.rows], query
    names = [row["offer_name"] for table in page.tables("offers") for row in table.rows]
    assert any(name.startswith("offer Z") for name in names)
    assert any(name.startswith("offer a") for name in names)


def test_every_query_runs_as_it_stands(both: Both, tmp_path: Path) -> None:
    """What the page shows gives its rows in a session of anybody's."""
    write_report(both.server, tmp_path / "page.html", zones=ZONES, now=MADE)
    queries = Page(tmp_path / "page.html").queries()
    assert len(queries) > 15
    for name, sql in queries.items():
        assert isinstance(both.database.ask(sql), list), name


def test_it_is_of_one_moment(both: Both) -> None:
    """What is deleted while it is made is still there for it, and no other mart comes in the place of one."""
    with opening.opened(both.server, ZONES) as reader:
        both.database.outside(
            "create table kept as select * from marts.conversions_daily",
            "delete from marts.conversions_daily",
        )
        assert reader.ask("totals").rows
        refused = (
            "set lock_timeout = '100ms'; alter table marts.conversions_daily rename to conversions_daily_old"
        )
        with pytest.raises(Exception, match="lock timeout"):
            both.database.outside(refused)
    both.database.outside("insert into marts.conversions_daily select * from kept", "drop table kept")
    with (
        pytest.raises(ConversyncError, match="only lets it read"),
        opening.opened(both.server, ZONES) as reader,
    ):
        reader.run("create table marts.mine (id int)")


def test_what_is_not_as_it_should_be_is_a_sentence(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marts that are missing, or of another version, a query without end, a build beside another one."""
    page = tmp_path / "page.html"
    database = both.database
    with monkeypatch.context() as patched:
        patched.setattr(opening, "SECONDS", 1)
        database.outside(
            "alter table marts.readings rename to readings_kept",
            "create view marts.readings as select r.* from marts.readings_kept as r, pg_sleep(3)",
        )
        with pytest.raises(ConversyncError, match="took longer than 1 seconds on postgres"):
            write_report(both.server, page, zones=ZONES)
        database.outside("drop view marts.readings", "alter table marts.readings_kept rename to readings")
    database.outside("alter table marts.readings rename column read_at to was_read_at")
    with pytest.raises(ConversyncError, match=r"postgres are not what this version builds .*--full-refresh"):
        write_report(both.server, page, zones=ZONES)
    database.outside("alter table marts.readings rename column was_read_at to read_at")
    database.outside("alter table marts.readings rename to readings_kept")
    with pytest.raises(
        SettingsError, match=r"postgres has no readings in its schema marts.*conversync build first"
    ):
        write_report(both.server, page, zones=ZONES)
    database.outside("alter table marts.readings_kept rename to readings")
    with (
        both.server.reserved(["marts"], "build", 0),
        pytest.raises(LockedError, match="holds marts on postgres"),
    ):
        build(both.server)
    assert not page.exists()


def test_the_commands_take_the_destination(both: Both, tmp_path: Path) -> None:
    """`build` and `report` by name, the password in no argument; the page lies where one of a file would."""
    place = {"DESTINATION__POSTGRES__CREDENTIALS": both.database.url}
    built = command(
        "build", "--destination", "postgres", "--select", "readings", cwd=tmp_path, environment=place
    )
    assert built.code == 0, built.err
    written = command("report", "--destination", "postgres", cwd=tmp_path, environment=place)
    assert written.code == 0, written.err
    assert (tmp_path / "published" / "report.html").stat().st_mode & 0o077 == 0
    elsewhere = {"DESTINATION__POSTGRES__CREDENTIALS": "postgresql://nobody:none@127.0.0.1:9/none"}
    for name in ("build", "report"):
        refused = command(name, "--destination", "postgres", cwd=tmp_path, environment=elsewhere)
        assert refused.code == 4, refused.err
        assert "cannot be reached" in refused.err
        assert "none@" not in refused.out + refused.err


def test_what_others_have_of_the_models_is_theirs_after_a_build(both: Both) -> None:
    """Rights are given again; a view of somebody's own is named, and nothing is built, in place of being dropped."""
    ask = both.database.ask
    ask("create role analyst; create role passing; create schema an; select 1")
    ask("grant usage on schema marts, staging to analyst; select 1")
    ask("grant select on all tables in schema marts to analyst; select 1")
    ask("grant select on staging.stg_besitos__conversions to public; select 1")
    ask("grant select, insert on marts.conversions to passing with grant option; select 1")
    given = (
        "select table_schema, table_name, grantee, privilege_type, is_grantable "
        "from information_schema.table_privileges where grantee in ('analyst', 'passing', 'PUBLIC') "
        "and table_schema in ('marts', 'staging') order by 1, 2, 3, 4"
    )
    before = ask(given)
    assert len(before) > 12
    for name in ("an.mine", "marts.mine"):
        ask(
            f"create view {name} as select vendor, sum(net_revenue) from marts.conversions group by 1; select 1"
        )
    with pytest.raises(
        SettingsError, match=r"^an\.mine, marts\.mine are made of tables .* nothing was built"
    ):
        build(both.server, run_tests=False)
    for name in ("an.mine", "marts.mine"):
        assert ask(f"select count(*) from {name}")[0][0] > 0
        ask(f"drop view {name}; select 1")
    assert build(both.server, run_tests=False).failures == []
    assert ask(given) == before


def test_a_table_of_somebody_elses_is_named_and_stays(both: Both) -> None:
    """Called as a mart is, it was replaced without a word."""
    both.database.outside(
        "alter table marts.days rename to days_kept",
        "create table marts.days as select date '2025-01-01' as day, 'Neujahr' as name",
        "comment on table marts.days is 'Holidays.'",
    )
    with pytest.raises(SettingsError, match=r"^marts\.days is called as .* somebody else made it"):
        build(both.server, run_tests=False)
    assert both.database.ask("select name from marts.days") == [("Neujahr",)]
    both.database.outside("drop table marts.days", "alter table marts.days_kept rename to days")


def test_a_right_to_read_that_is_missing_is_named(both: Both, tmp_path: Path) -> None:
    """It is not taken for marts that were never built, nor, by a build, for a vendor that was never loaded."""
    both.database.outside(
        "create role reader login",
        "grant create on database postgres to reader",
        "grant all on schema staging, intermediate, marts to reader",
    )

    def refused(run: str) -> str:
        url = both.database.url.replace("//postgres:", "//reader:")
        place = {"DESTINATION__POSTGRES__CREDENTIALS": url}
        done = command(run, "--destination", "postgres", cwd=tmp_path, environment=place)
        assert done.code == 2, done.err
        return done.err

    assert "the right to read marts.conversions, to read marts.conversions_daily, to read marts." in refused(
        "report"
    )
    both.database.outside(
        "grant select on all tables in schema marts to reader",
        "create table marts.mine as select 1 as one",
        "revoke all on marts.sms_funnel from reader",
    )
    assert "(the right to read marts.sms_funnel is missing)" in refused("report")
    both.database.outside("revoke all on schema marts from reader")
    assert "(the right to use the schema marts is missing)" in refused("report")
    both.database.outside("grant all on schema marts to reader")
    assert "the right to use the schema besitos, to use the schema" in refused("build")
    both.database.outside("drop owned by reader", "drop role reader", "drop table marts.mine")
