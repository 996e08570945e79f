"""Who is measured: how each is started, and where it leaves its table."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import interpreter
from benchmarks.feed import FIRST_DAY, LAST_DAY, TOKEN

DATABASE = "warehouse.duckdb"
# With it DuckDB takes the machine for one of so many processors, in whatever program it is, and has as many threads.
ONE_THREAD = {"SLURM_CPUS_ON_NODE": "1"}


@dataclass(frozen=True)
class Contestant:
    """One way to load the feed into DuckDB, as a whole process."""

    name: str
    what: str
    """For the page: what it is and what it keeps."""
    script: str
    """A file of this folder; none for our own command."""
    tables: tuple[str, ...]
    """What can stand after FROM, each of which must hold the whole feed and nothing else."""
    reversal: str
    """The SQL condition that tells a reversal in `tables`."""
    environment_name: str = ""
    """Of the environment that it needs; none for this one."""
    money: str = "DECIMAL"
    """What type its amounts have to be of."""
    is_slow: bool = False
    """Takes minutes for a million rows: at such sizes it runs in the first round alone."""

    def command(self, url: str, directory: Path) -> list[str]:
        """How it is started on the feed at `url`, to leave DATABASE in `directory`."""
        if not self.script:
            return [
                str(Path(sys.executable).with_name("conversync")),
                *("load", "besitos", "--from", FIRST_DAY, "--to", LAST_DAY),
            ]
        python = interpreter(self.environment_name) if self.environment_name else Path(sys.executable)
        path = Path(__file__).parent / self.script
        return [str(python), str(path), url, TOKEN, str(directory / DATABASE), FIRST_DAY, LAST_DAY]

    def environment(self, url: str, directory: Path, *, threads: int | None = 1) -> dict[str, str]:
        """What ours is set by, which others ignore; and one thread of DuckDB, or its default for None."""
        limits = ONE_THREAD | {"CONVERSYNC_DUCKDB_THREADS": "1"} if threads else {}
        return {
            **limits,
            "BESITOS_TOKEN": TOKEN,
            "BESITOS_URL": url,
            "CONVERSYNC_WAREHOUSE": str(directory / DATABASE),
            "CONVERSYNC_PUBLISHED": "off",  # the others make no copy
            "DLT_DATA_DIR": str(directory / "dlt"),
            "AIRBYTE_LOGGING_ROOT": str(directory / "airbyte"),
        }


OURS = Contestant(
    "conversync",
    "our command: every statement kept as history (scd2), the reversals walked once more on their own, rejects, "
    "evidence, views",
    "",
    ("besitos.conversion_events", "(from besitos.conversion_events where valid_to is null)"),
    "is_reversal",
)
BY_HAND = Contestant(
    "by hand, no framework",
    "one script, requests + msgspec + Arrow + DELETE and INSERT in one transaction: the last state, nothing else",
    "by_hand.py",
    ("conversions",),
    "is_reversal",
)
REST_API = Contestant(
    "dlt rest_api, tuned",
    "dlt's declarative source, parquet loader files, declared schema: the last state alone",
    "rest_api.py",
    ("besitos.conversions",),
    "reverse = 1",
)
SINGER = Contestant(
    "Singer, target-duckdb",
    "a tap written with the Singer SDK, piped into target-duckdb with its own size of batches: the last state alone, "
    "and money as DOUBLE, which the check rounds to six places, row by row",
    "peers/singer.py",
    ("besitos.conversions",),
    "reverse = 1",
    environment_name="singer",
    money="DOUBLE",
    is_slow=True,
)
PYAIRBYTE = Contestant(
    "PyAirbyte, declarative",
    "a manifest as the connector builder writes it, read into its DuckDB cache by the key: the last state alone",
    "peers/declarative.py",
    ("besitos.conversions",),
    "reverse = 1",
    environment_name="pyairbyte",
    is_slow=True,
)
EVERYBODY = (OURS, BY_HAND, REST_API, SINGER, PYAIRBYTE)
