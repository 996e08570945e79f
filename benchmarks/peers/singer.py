"""Contestant: a Singer tap into target-duckdb, as a shell would pipe them.

Usage: `python benchmarks/peers/singer.py FEED_URL TOKEN DATABASE FROM TO`, by the interpreter of its environment.
The target keeps money as DOUBLE, and times as the vendor's text here; it keeps the last state alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# A million rows are held by the target as so many Python objects at once; its own default.
BATCH_ROWS = 100_000


def main() -> int:
    """0 when both ended well."""
    url, token, database, first_day, last_day = sys.argv[1:]
    config = Path(database).with_name("target.json")
    told = {"path": database, "default_target_schema": "besitos", "batch_size_rows": BATCH_ROWS}
    config.write_text(json.dumps(told), encoding="utf-8")
    settings = {"URL": url, "TOKEN": token, "FIRST_DAY": first_day, "LAST_DAY": last_day}
    environment = os.environ | {f"TAP_BESITOS_{name}": value for name, value in settings.items()}
    tap = subprocess.Popen(
        [sys.executable, str(HERE / "singer_tap.py"), "--config=ENV"],
        env=environment,
        stdout=subprocess.PIPE,
    )
    target = Path(sys.executable).with_name("target-duckdb")
    with tap:
        ended = subprocess.run([str(target), "--config", str(config)], stdin=tap.stdout, check=False)
    return tap.returncode or ended.returncode


if __name__ == "__main__":
    sys.exit(main())
