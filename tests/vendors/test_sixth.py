"""A sixth vendor, in a package of somebody else's: every command works with it, and nothing of ours knows its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_acme import KEY, TestAcme, running

from conversync.extract.field_kinds import STAMP, TEXT
from conversync.feed import NEEDED, FeedSettings, feed_vendor
from conversync.table import Column, Events
from conversync.testing import Project
from tests.vendors.site import ACME, made_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path in which the vendor's package lies, with its entry point."""
    return made_site(tmp_path_factory.mktemp("site"))


@pytest.mark.more
class TestTemplate(TestAcme):
    """What every vendor keeps, of the template as a person copies it."""

    @pytest.fixture(autouse=True)
    def on_the_path(self, site: Path) -> None:
        """The vendor's package is found."""
        self.path = (str(site),)


# It is inherited, and would be collected by itself, without its package on the path.
del TestAcme


def test_what_a_vendors_author_left_out_is_said() -> None:
    """A name that is no column, settings that lack one, no headers: a sentence when the vendor is declared."""
    columns = (Column("click", TEXT, required=True), Column("at", STAMP, required=True))
    with pytest.raises(ValueError, match="has no column clik, which is its key"):
        Events("conversion_events", columns, key="clik", at="at")
    with pytest.raises(ValueError, match=r"the settings of globex lack .*globex_zone"):
        feed_vendor("globex", "Globex", FeedSettings, [])
    plain = type("Plain", (FeedSettings,), {f"plain_{name}": None for name in NEEDED})
    with pytest.raises(ValueError, match="with which headers it is asked"):
        feed_vendor("plain", "Plain", plain, [])


def test_a_vendor_is_at_most_three_files_and_250_lines() -> None:
    """Its module, and the two files by which an installed package is known."""
    assert len(ACME.read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.more
def test_every_command_works_with_a_vendor_that_is_none_of_ours(tmp_path: Path, site: Path) -> None:
    """Load, load again, reversal, status, check, send, reconcile, build, report, nightly."""
    with running(250) as served:
        acme, project = served.acme, Project(tmp_path, served.settings, (str(site),))

        def run(code: int, *argv: str) -> str:
            ended = project.run(*argv)
            assert ended.returncode == code, ended.stdout + ended.stderr
            assert "Traceback" not in ended.stderr
            return ended.stdout + ended.stderr

        run(0, "check", "acme")
        run(0, "load", "acme")
        totals = "select count(*), sum(amount), sum(net_amount) from acme.conversions"
        assert [tuple(map(str, row)) for row in project.ask(totals)] == [
            ("250", "31150.000000", "31150.000000")
        ]
        acme.rows["c7"]["status"] = "reversed"
        run(0, "load", "acme")
        assert [tuple(map(str, row)) for row in project.ask(totals)] == [
            ("250", "31150.000000", "31142.900000")
        ]
        assert project.ask("select count(*) from acme.conversion_events where valid_to is not null") == [(1,)]
        assert project.ask(COMMENTS) == [
            ("What we are paid, in currency.",),
            ("The day: a day in acme_zone.",),
        ]

        run(0, "send", "acme.conversions", "--from", OUTBOX, "--dry-run")
        assert acme.taken == []
        run(0, "send", "acme.conversions", "--from", OUTBOX)
        assert sorted(one["click"] for one in acme.taken) == ["c9", "n1"]
        run(0, "load", "acme")
        assert "2 sent, 2 there as sent" in run(0, "reconcile", "acme")
        acme.rows["n1"]["amount"] = "4.25"
        run(0, "load", "acme")
        assert "amount" in run(3, "reconcile", "acme")

        for command in ("build", "report", "nightly"):
            run(0, command)
        page = (tmp_path / "published" / "report.html").read_text(encoding="utf-8")
        assert "Acme" in page
        assert KEY not in page


COMMENTS = """
    select comment from duckdb_columns()
    where schema_name = 'acme' and table_name in ('conversion_events', 'days') and column_name in ('amount', 'day')
    order by table_name
"""
OUTBOX = """
    select 'k' || click_id as send_key, click_id, amount as payout from acme.conversions where click_id = 'c9'
    union all select 'new', 'n1', cast(5.25 as decimal(18, 6))
"""


@pytest.mark.more
def test_m02_other_ids_for_what_is_held_are_refused(tmp_path: Path, site: Path) -> None:
    """All conversions under other ids would each stand twice: exit 6 and nothing changed, until a person says so."""
    with running(12) as served:
        project = Project(tmp_path, served.settings, (str(site),))
        count = "select count(*) from acme.conversion_events where valid_to is null"
        assert project.run("load").returncode == 0
        served.acme.rows = {
            f"x{name}": {**row, "click": f"x{name}"} for name, row in served.acme.rows.items()
        }
        refused = project.run("load")
        assert refused.returncode == 6, refused.stderr
        assert "serves 12 of 12 conversions" in refused.stderr
        assert project.ask(count) == [(12,)]
        assert project.run("load", "--accept-empty").returncode == 0
        assert project.ask(count) == [(24,)]
