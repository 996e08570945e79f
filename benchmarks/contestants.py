"""Who is measured: how each is started, and where it leaves its table."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.feed import FIRST_DAY, LAST_DAY, TOKEN

DATABASE = "warehouse.duckdb"


@dataclass(frozen=True)
class Contestant:
    """One way to load the feed into DuckDB: `command(feed url, working directory)` is a whole process."""

    name: str
    command: Callable[[str, Path], list[str]]
    tables: tuple[str, ...]
    """What can stand after FROM, each of which must hold the whole feed and nothing else."""
    reversal: str
    """The SQL condition that tells a reversal in `tables`."""

    def environment(self, url: str, directory: Path) -> dict[str, str]:
        """The settings of `conversync`; the others take theirs as arguments and ignore these."""
        return {
            "BESITOS_TOKEN": TOKEN,
            "BESITOS_URL": url,
            "CONVERSYNC_WAREHOUSE": str(directory / DATABASE),
            "CONVERSYNC_PUBLISHED": "off",  # the others make no copy
            "DLT_DATA_DIR": str(directory / "dlt"),
        }


def script(name: str) -> Callable[[str, Path], list[str]]:
    """A contestant of this folder, run by the interpreter that runs us."""
    path = Path(__file__).with_name(name)

    def command(url: str, directory: Path) -> list[str]:
        return [sys.executable, str(path), url, TOKEN, str(directory / DATABASE), FIRST_DAY, LAST_DAY]

    return command


def conversync(url: str, directory: Path) -> list[str]:
    """Our own command, as installed beside the interpreter; address and paths come from the environment."""
    del url, directory
    installed = Path(sys.executable).with_name("conversync")
    return [str(installed), "load", "besitos", "--from", FIRST_DAY, "--to", LAST_DAY]


EVENTS = ("besitos.conversion_events", "(from besitos.conversion_events where valid_to is null)")
OURS = Contestant("conversync", conversync, EVENTS, "is_reversal")
REST_API = Contestant("dlt rest_api, tuned", script("rest_api.py"), ("besitos.conversions",), "reverse = 1")
BY_HAND = Contestant("by hand, no framework", script("by_hand.py"), ("conversions",), "is_reversal")
EVERYBODY = (OURS, REST_API, BY_HAND)
