"""docs/books.md: its worked example is what the commands print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger
from tests.support import command

# What is another one each time: fingerprints, loads, and when something was learned.
EACH_TIME = {
    r"\b[0-9a-f]{64}\b": "SHA-256",
    r"\b[0-9a-f]{32}\b": "HASH",
    r"\bload \d+\.\d+": "LOAD",
    r"\blearned [\d-]+ [\d:]+ UTC": "LEARNED",
    r"\bknown on [\d-]+": "KNOWN",
}
PAGE = (Path(__file__).parents[2] / "docs" / "books.md").read_text(encoding="utf-8")


def shown(section: str) -> list[list[str]]:
    """The lines of each block of a section: a command, and what it prints."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)]


def plain(line: str) -> str:
    """The line without what is another one each time."""
    for pattern, word in EACH_TIME.items():
        line = re.sub(pattern, word, line)
    return line


def test_the_worked_example_is_what_is_printed(make_ledger: Callable[..., Ledger]) -> None:
    """Each command of it, with all that it prints, but for `EACH_TIME`."""
    house = make_ledger()
    sales = [
        row(1, payout=10),
        row(2, payout=7.5),
        row(3, payout=24.8, reward=200, offer_id="aB1"),
        row(4, payout=5, currency="EUR", date_time="2024-12-20 10:00:00"),
    ]
    # Each on a line of its own: a day, an offer or a currency apart.
    sales[1]["date_time"] = "2024-12-11 10:00:00"
    house.sandbox.besitos.rows = sales
    house.load("2024-11-30", "2025-01-02")
    blocks = [*shown("A worked example"), *shown("One transaction")]
    assert [block[0].split()[1] for block in blocks] == ["close", "books", "explain", "explain"]
    for number, (first, *wanted) in enumerate(blocks):
        if number == 1:
            sales[1]["payout"] = 8
            taken = reversal(3, payout=12.4, reward=100, date_time="2024-12-30 10:00:00")
            house.sandbox.besitos.rows = [*sales, taken, row(5, payout=2)]
            house.load("2024-11-30", "2025-01-02")
        done = command(*shlex.split(first)[1:], cwd=house.folder, environment=house.environment)
        assert done.code == 0, done.err
        assert list(map(plain, done.out.splitlines())) == list(map(plain, wanted))
