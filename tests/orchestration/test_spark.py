"""pipelines/spark_conversync.py as Spark runs it, on a lake of Iceberg's tables: types and sums are the copy's.

Delta's jars are in no index that is asked here: other readers look at those tables (tests/destinations/test_lakes.py).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.orchestration.conftest import Run
from tests.orchestration.iceberg_jar import jars
from tests.process.lakes import TABLES, Lake
from tests.process.support import CONVERSYNC, ROOT, Place

pytestmark = [
    pytest.mark.orchestration,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java is installed here"),
]
PIPELINE = ROOT / "pipelines" / "spark_conversync.py"
# What Spark calls the types of the copy.
TYPES = {
    **dict.fromkeys(("JSON", "VARCHAR"), "string"),
    **{kind: kind.lower() for kind in ("BIGINT", "BOOLEAN", "DATE", "DECIMAL(18,6)", "DOUBLE")},
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
# What is compared of a column, by Spark's type, in words of both.
SUMS = {
    **dict.fromkeys(("bigint", "decimal(18,6)"), "cast(sum({0}) as string)"),
    **dict.fromkeys(("date", "double"), "max({0})"),
    "boolean": "count(case when {0} then 1 end)",
    "string": "cast(sum(length({0})) as string) || max({0})",
    "timestamp": "sum({micros}({0}))",
}
SCRIPT = """
import json, sys
sys.path.insert(0, {folder!r})
from pyspark.sql import SparkSession
import spark_conversync as ours

spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
told = {{}}
for name, sums in json.load(open(sys.argv[2])).items():
    table = ours.table(spark, sys.argv[1], name)
    told[name] = [table.dtypes, list(table.selectExpr("count(*)", *sums).collect()[0])]
print("TOLD", json.dumps(told, default=str))
"""


@pytest.fixture
def lake(place: Place) -> Lake:
    """Two nights, their models, and what is published of them."""
    made = Lake(place, "iceberg")
    for argv in (place.days, ["build"]):
        done = subprocess.run(
            [CONVERSYNC, *argv], cwd=place.folder, env=place.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return made


def submitted(scheduler: Run, place: Place, *argv: str) -> str:
    """What a program prints that is given to Spark."""
    found = ",".join(map(str, jars(ROOT / ".venv-spark", place.folder)))
    done = scheduler("spark", "spark-submit", "--master", "local[1]", "--jars", found, *argv)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_net_revenue_by_day_is_the_copys(lake: Lake, scheduler: Run) -> None:
    """To the last digit, and so after another night."""
    query = "select vendor, occurred_on, currency, sum(net_revenue) from marts.conversions group by all order by all"
    told = submitted(scheduler, lake.place, str(PIPELINE), str(lake.folder))
    wanted = [tuple(map(str, row)) for row in lake.copy(query)]
    assert len(wanted) > len(("a", "few", "days"))
    assert [tuple(line.split("\t")) for line in told.splitlines() if "\t" in line] == wanted


def test_each_type_and_sum_is_the_copys(lake: Lake, scheduler: Run) -> None:
    """Of every column of every table."""
    kinds = {name: _kinds(lake, name) for name, _ in lake.copy(TABLES)}
    file, script = lake.place.folder / "asked.json", lake.place.folder / "script.py"
    file.write_text(json.dumps({name: _sums(columns, "unix_micros") for name, columns in kinds.items()}))
    script.write_text(SCRIPT.format(folder=str(ROOT / "pipelines")))
    out = submitted(scheduler, lake.place, str(script), str(lake.folder), str(file))
    [line] = [line for line in out.splitlines() if line.startswith("TOLD ")]
    told: dict[str, list[Any]] = json.loads(line.removeprefix("TOLD "))
    assert set(told) == set(kinds)
    for name, columns in kinds.items():
        asked = ", ".join(["count(*)", *_sums(columns, "epoch_us")])
        [row] = lake.copy(f"select {asked} from {name}")
        assert told[name] == [[[*one] for one in columns], json.loads(json.dumps(row, default=str))], name


def _kinds(lake: Lake, name: str) -> list[tuple[str, str]]:
    """A table's columns, with the types that Spark should see."""
    told = lake.copy(
        "select column_name, data_type from duckdb_columns() "
        f"where schema_name || '.' || table_name = '{name}' order by column_index"
    )
    return [(column, TYPES[kind]) for column, kind in told]


def _sums(columns: list[tuple[str, str]], micros: str) -> list[str]:
    return [SUMS[kind].format(column, micros=micros) for column, kind in columns]
