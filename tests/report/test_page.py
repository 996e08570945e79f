"""The page as a document: safe, self-contained, readable by everybody; and how it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.report import write_report
from conversync.report.numbers import NOTHING, days, hours, money, share
from conversync.report.opening import LIMITS
from conversync.report.parts import TEMPLATES
from tests.report.conftest import EVIL, MADE, ZONES, Built
from tests.report.pages import Page

VENDORS = ("besitos", "infobip", "conductrics", "keitaro")


def test_it_is_one_small_file_that_names_no_other(built: Built) -> None:
    """No script, no address but of its own parts and of namespaces, and a policy that forbids to fetch anything."""
    source = built.page.source
    assert len(source.encode()) < 1_500_000
    assert not list(built.page.root.all("script"))
    addresses = re.findall(r"""(?:href|src|action|data|xlink:href)="([^"]*)\"""", source)
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    assert set(re.findall(r"https?://[^\s\"'<)]*", source)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in source
    assert not re.findall(r"url\((?!#)", source)
    policy = built.page.root.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy.startswith("default-src 'none'; ")


def test_what_the_warehouse_tells_is_never_markup(changed: Callable[..., Page]) -> None:
    """Offers, goals, reasons, tags, keys: whatever they hold is shown as it stands."""
    evil = EVIL.replace("'", "''")
    page = changed(
        f"update marts.offer_performance set offer_name = '{evil}'",
        f"update marts.goal_catalogue set name = '{evil}', code = code || '{evil}', agent_names = '{evil}'",
        f"update marts.sms_funnel set start_tag = '{evil}', process_name = '{evil}'",
        f"update marts.reconciliation set offer_name = '{evil}', outcome = 'amounts apart'",
        f"update marts.readings set stream = stream || '{evil}' where vendor = 'infobip'",
    )
    assert not list(page.root.all("script"))
    assert not list(page.root.all("img"))
    shown = EVIL.replace("\x01", "\ufffd")
    assert shown in {row["offer_name"] for table in page.tables("offers") for row in table.rows}
    assert any(shown in text.text for svg in page.section("offers").all("svg") for text in svg.all("text"))
    assert "\x01" not in page.source


@pytest.mark.more
def test_a_currency_is_no_expression_of_a_picture(changed: Callable[..., Page]) -> None:
    """Whatever stands for a currency is a text on the axis, an id that holds, and nothing that is worked out."""
    evil = """U'+(7*7)+"<b>"""
    change = "update marts.{} set currency = 'U''+(7*7)+\"<b>' where vendor = 'keitaro'"
    page = changed(change.format("conversions"), change.format("conversions_daily"))
    assert not list(page.root.all("b"))
    drawn = list(page.section("revenue").all("svg", class_="for-desk"))[-1]
    assert [text for text in drawn.all("text") if text.text.endswith(f" {evil}")]
    ids = [element.attributes["id"] for element in drawn.all("clipPath")] or [""]
    assert all(re.fullmatch(r"[a-z0-9-]*", name) for name in ids)


def test_it_is_read_by_a_screen_reader(built: Built) -> None:
    """Language, landmarks, headings in order, named pictures, tables with captions, boxes that take the focus."""
    root = built.page.root
    assert root.one("html").attributes["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert root.one(landmark).text.strip()
    for section in root.all("section"):
        assert section.one("h2").attributes["id"] == section.attributes["aria-labelledby"]
    pictures = list(root.all("svg"))
    assert len(pictures) > 20
    for picture in pictures:
        assert picture.attributes["role"] == "img"
        assert len(picture.attributes["aria-label"]) > 30
    for table in root.all("table"):
        assert table.one("caption").text
        assert all(cell.attributes["scope"] == "col" for cell in table.one("thead").all("th"))
        assert all(cell.attributes["scope"] == "row" for cell in table.one("tbody").all("th"))
    for box in root.all("div", class_="scroll"):
        assert (box.attributes["tabindex"], box.attributes["role"]) == ("0", "region")
        assert box.attributes["aria-label"]
    for figure in root.all("figure"):
        assert figure.one("figcaption").text
    ids = re.findall(r'\sid="([^"]+)"', built.page.source)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(|href="|aria-labelledby=")#?([^")]+)', built.page.source))
    assert used - {"data:,"} <= set(ids)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_are_told_apart_from_the_paper(mode: str) -> None:
    """Text has a contrast of at least 4.5, marks of at least 3, in both modes (WCAG 2.2 AA)."""
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", blocks[("light", "dark").index(mode)]))
    for name in ("ink", "muted", "link"):
        for ground in ("paper", "tint"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("gone", "good", "alarm", "blue", "orange", "teal", "violet"):
        assert contrast(colours[name], colours["paper"]) >= 3, name


@pytest.mark.quick(1)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_that_is_not_loaded_leaves_the_rest(changed: Callable[..., Page], vendor: str) -> None:
    """Its sections say so in a sentence; all others stand."""
    page = changed(*without(vendor))
    text = page.root.text
    assert f"{vendor.capitalize()} is not loaded into this warehouse." in text
    assert {section.attributes["id"] for section in page.root.all("section")} >= {
        "revenue",
        "sms",
        "goals",
        "rejected",
    }
    absent = {
        "besitos": "reconciliation",
        "keitaro": "reconciliation",
        "infobip": "sms",
        "conductrics": "goals",
    }
    assert list(page.section(absent[vendor]).all("p", class_="missing"))
    assert bool(page.tables("revenue_daily"))


def test_an_empty_warehouse_has_a_report(changed: Callable[..., Page]) -> None:
    """Marts without a row: every section says that there is nothing, and nothing fails."""
    page = changed(*(statement for vendor in VENDORS for statement in without(vendor)))
    assert "no source has been read yet" in page.root.text
    assert not list(page.root.all("svg"))


def test_without_marts_it_names_the_way_out(built: Built, tmp_path: Path) -> None:
    """A warehouse that was never built, and no warehouse at all, are sentences."""
    bare = tmp_path / "bare.duckdb"
    duckdb.connect(str(bare)).close()
    with pytest.raises(SettingsError, match="conversync build"):
        write_report(bare, tmp_path / "report.html", zones=ZONES)
    with pytest.raises(SettingsError, match="conversync load"):
        write_report(tmp_path / "none.duckdb", tmp_path / "report.html", zones=ZONES)
    (tmp_path / "text.duckdb").write_text(
        "no database, and long enough not to be taken for an empty one " * 200, encoding="utf-8"
    )
    with pytest.raises(SettingsError, match="cannot be opened"):
        write_report(tmp_path / "text.duckdb", tmp_path / "report.html", zones=ZONES)
    assert not (tmp_path / "report.html").exists()
    assert built.report.exists()


def test_without_the_extra_it_names_it(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where altair, jinja2 or vl-convert is not installed, the sentence says what to install."""
    for module in ("altair", "jinja2", "vl_convert"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, module, None)
            with pytest.raises(SettingsError, match=r'pip install "conversync\[report\]"'):
                write_report(built.warehouse, tmp_path / "report.html", zones=ZONES)


@pytest.mark.more
def test_the_warehouse_is_only_read(built: Built, tmp_path: Path) -> None:
    """A file without the right to write serves, beside another reader, and is the same file after."""
    copy = tmp_path / "readonly"
    copy.mkdir()
    shutil.copy(built.warehouse, copy / "warehouse.duckdb")
    before = (copy / "warehouse.duckdb").read_bytes()
    (copy / "warehouse.duckdb").chmod(0o444)
    copy.chmod(0o555)
    with duckdb.connect(str(copy / "warehouse.duckdb"), read_only=True, config=LIMITS):
        summary = write_report(copy / "warehouse.duckdb", tmp_path / "report.html", zones=ZONES, now=MADE)
    assert summary.path == tmp_path / "report.html"
    assert summary.size == summary.path.stat().st_size
    assert summary.pictures > 8
    assert (copy / "warehouse.duckdb").read_bytes() == before
    assert sorted(path.name for path in copy.iterdir()) == ["warehouse.duckdb"]


def test_a_writer_is_a_sentence(built: Built, tmp_path: Path) -> None:
    """While another process writes the file, the report says so and what to do."""
    copy = tmp_path / "warehouse.duckdb"
    shutil.copy(built.warehouse, copy)
    script = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, copy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(LockedError, match="published copy"):
            write_report(copy, tmp_path / "report.html", zones=ZONES)
        writer.communicate()


@pytest.mark.more
def test_an_older_report_is_replaced_whole(built: Built, tmp_path: Path) -> None:
    """What is written takes the old one's place at once; a failure leaves the old one, and nothing beside it."""
    target = tmp_path / "reports" / "report.html"
    write_report(built.warehouse, target, zones=ZONES, now=MADE)
    assert target.read_bytes() == built.report.read_bytes()
    inode = target.stat().st_ino
    write_report(built.warehouse, target, zones=ZONES, now=MADE)
    assert target.stat().st_ino != inode
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConversyncError, match="cannot be written") as refused:
        write_report(built.warehouse, tmp_path / "folder", zones=ZONES)
    assert refused.value.exit_code == 1, "a night would take a setting for a step that nobody wants"
    assert not list(tmp_path.glob(".*new"))


def test_numbers_read_as_people_write_them() -> None:
    """Cents half to even, a real minus, never 100% of what is not all, and days without their year twice."""
    assert money(Decimal("-1234.565")) == "\u22121,234.56"
    assert (money(None), share(None), hours(None)) == (NOTHING, NOTHING, NOTHING)
    assert [share(value) for value in (0, 0.0516, 0.99996, 1)] == ["0%", "5.2%", "99.9%", "100%"]
    assert days(date(2026, 1, 3), date(2026, 2, 4)) == "3 Jan \u2013 4 Feb 2026"
    assert days(date(2025, 12, 3), date(2026, 2, 4)) == "3 Dec 2025 \u2013 4 Feb 2026"


def without(vendor: str) -> list[str]:
    """The statements after which a warehouse looks as if the vendor had never been loaded."""
    statements = [
        f"delete from marts.{table} where vendor = '{vendor}'"
        for table in (
            "conversions",
            "conversions_daily",
            "offer_performance",
            "readings",
            "reversal_cohorts",
            "reversal_lookback",
        )
    ]
    own = {"infobip": ["sms_funnel"], "conductrics": ["goal_catalogue"], "besitos": ["reconciliation"]}
    statements += [f"delete from marts.{table}" for table in own.get(vendor, ["reconciliation"])]
    return [
        *statements,
        f"drop table {vendor}.rejected_rows",
        f"drop table {vendor}.windows",
        f"drop view {vendor}.days",
    ]


def contrast(one: str, other: str) -> float:
    """How far apart two colours are in luminance, as WCAG measures it: 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
