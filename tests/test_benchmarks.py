"""The benchmark tells the truth: a wrong table ends it, who is missing is told, and the page has what was measured."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks import environments
from benchmarks.feed import Totals
from benchmarks.page import write
from benchmarks.parts.loads import FIRST, SECOND, present
from benchmarks.parts.nights import looked_at
from benchmarks.parts.part import Notes, rotated
from benchmarks.results import About, Figure, Run, found, keep
from benchmarks.runner import BenchmarkError, check
from benchmarks.tables import told

TOTALS = Totals(3, 1, "11.05", "4", 0)
ROWS = "(1, false, 10.05, 4), (2, false, 1, 0), (2, true, 0, 0)"


def table(path: Path, rows: str, money: str = "decimal(18, 6)") -> Path:
    """A file with a loader's table of these rows."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"create table loaded (transaction_id bigint, is_reversal boolean, payout {money}, reward {money})"
        )
        connection.execute(f"insert into loaded values {rows}")
    return path


@pytest.mark.parametrize(
    ("rows", "money"),
    [
        pytest.param("(1, false, 10.05, 4), (2, false, 1, 0)", "decimal(18, 6)", id="a row is lost"),
        pytest.param(f"{ROWS}, (1, false, 0, 0)", "decimal(18, 6)", id="a row is there twice"),
        pytest.param(ROWS.replace("2, false", "1, false"), "decimal(18, 6)", id="a row has another's key"),
        pytest.param(ROWS.replace("10.05", "10.06"), "decimal(18, 6)", id="an amount is another one"),
        pytest.param(ROWS.replace("2, true", "3, false"), "decimal(18, 6)", id="a reversal is none"),
        pytest.param(ROWS, "double", id="money is a float"),
    ],
)
def test_a_table_that_is_wrong_ends_it(tmp_path: Path, rows: str, money: str) -> None:
    """Nobody is quick who loads something else."""
    check("right", table(tmp_path / "right", ROWS), "loaded", "is_reversal", TOTALS, money="DECIMAL")
    wrong = table(tmp_path / "wrong", rows, money)
    with pytest.raises(BenchmarkError, match="wrong: loaded holds"):
        check("wrong", wrong, "loaded", "is_reversal", TOTALS, money="DECIMAL")


def test_a_night_that_loses_a_row_of_before_ends_it(tmp_path: Path) -> None:
    """What stood in the table is counted, as well as what came."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create schema besitos; create table besitos.conversion_events (transaction_id bigint, "
            "is_reversal boolean, payout decimal(18, 6), reward decimal(18, 6), valid_to timestamptz)"
        )
        connection.execute(
            "insert into besitos.conversion_events "
            f"select *, null from (values {ROWS}, (10000001, false, 5, 5), (10000002, false, 5, 5))"
        )
    looked_at(path, TOTALS, 2)
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from besitos.conversion_events where transaction_id = 10000001")
    with pytest.raises(BenchmarkError, match="2 rows before"):
        looked_at(path, TOTALS, 2)


def test_who_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contestant whose environment fails is missing with a sentence, and without the registry's address."""
    for name in ("singer", "pyairbyte"):
        (tmp_path / f"{name}.txt").write_text("conversync-has-no-such-package==1\n", encoding="utf-8")
    monkeypatch.setattr(environments, "PEERS", tmp_path)
    monkeypatch.setattr(environments, "DATA", tmp_path / "data")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    notes = Notes()
    assert [one.name for one in present(("conversync", "singer"), notes)] == ["conversync"]
    [sentence] = notes.said
    assert "Singer, target-duckdb could not be installed on this machine" in sentence
    assert "://" not in sentence
    run = Run(About("loads-100k", "command", "today", "machine", notes=tuple(notes.said)), ())
    assert any(sentence in line for line in told(run))


def run_of(part: str, cpus: dict[tuple[str, str], list[float]], **facts: float) -> Run:
    """A part that found these CPU seconds, by contestant and load."""
    figures = [
        Figure(name, case, 1_000_000, {"cpu": cpu, "wall": cpu, "peak": 400.0, "file": 80.0})
        for (name, case), some in cpus.items()
        for cpu in some
    ]
    about = About(
        part, f"python -m benchmarks --part {part}", "2026-01-01 10:00", "2 cores", notes=(), facts=facts
    )
    return Run(about, tuple(figures))


def test_the_page_has_what_was_measured(tmp_path: Path) -> None:
    """Medians, ratios of medians, when it was, and what was not measured: after it was kept and read again."""
    names = ("conversync", "by hand, no framework", "dlt rest_api, tuned")
    cpus = {
        (name, case): [factor * 9.0, factor * 1.0, factor * 2.0]
        for name, factor in zip(names, (1.3, 1.0, 3.9), strict=True)
        for case in (FIRST, SECOND)
    }
    run = run_of("loads-1m", cpus, rows=1_000_000, reversals=30_000, page_bytes=268_000)
    keep(run, tmp_path)
    assert found(["loads-1m", "nights"], tmp_path) == {"loads-1m": run}
    page = write({"loads-1m": run}, tmp_path / "speed.md", tmp_path / "speed.svg")
    text = page.read_text(encoding="utf-8")
    assert "| conversync | first | 3 | 2.60 | 1.30 to 11.70 | 2.60 | 400 | 80 |" in text
    assert "| conversync / by hand, no framework | 1.30 | 1.30 |" in text
    assert "| dlt rest_api, tuned / conversync | 3.00 | 3.00 |" in text
    assert "| `python -m benchmarks --part loads-1m` | 2026-01-01 10:00 |" in text
    assert "Not measured: loads-100k, threads, latency, nights" in text
    svg = (tmp_path / "speed.svg").read_text(encoding="utf-8")
    assert "2.6 s, first" in svg
    assert "7.8 s, identical second" in svg


def test_the_order_rotates() -> None:
    """Everybody begins once."""
    assert [list(rotated("abc", turn)) for turn in range(3)] == [list("abc"), list("bca"), list("cab")]
