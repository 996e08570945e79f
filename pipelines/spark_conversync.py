"""Net revenue of each vendor and day with Spark, out of the lake that Conversync publishes (`published_lake`). Copy it.

Conversync need not be installed beside Spark. What reads the format is named to Spark, in the version that fits it, and
for a bucket what reads that:

    spark-submit --packages org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.1 spark_conversync.py /data/lake
    spark-submit --packages io.delta:delta-spark_2.12:3.3.2 spark_conversync.py s3a://bucket/lake

A lake of Iceberg's tables whose names are in a catalog of your own is read by that catalog, as `spark.table` has it.
"""

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

# Where Iceberg's tables are named in a lake without a catalog of its own.
CATALOG = "catalog.sqlite"


def table(spark: SparkSession, lake: str, name: str) -> DataFrame:
    """A table of the lake, such as marts.conversions, as it is now: one version of it, however long it is read."""
    schema, _, short = name.partition(".")
    if not (file := Path(lake, CATALOG)).exists():
        return spark.read.format("delta").load(f"{lake}/{schema}/{short}")
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as catalog:
        [[location]] = catalog.execute(
            "select metadata_location from iceberg_tables where table_namespace = ? and table_name = ?",
            (schema, short),
        ).fetchall()
    return spark.read.format("iceberg").load(location)


def net_revenue(conversions: DataFrame) -> DataFrame:
    """What is left of each vendor's day, by the currency that it is in."""
    days = conversions.groupBy("vendor", "occurred_on", "currency")
    return days.agg(f.sum("net_revenue").alias("net_revenue")).orderBy("vendor", "occurred_on", "currency")


def main() -> None:
    """Prints a line for each vendor, day and currency."""
    parser = argparse.ArgumentParser(description="Net revenue by vendor and day, out of a published lake.")
    parser.add_argument("lake", help="the folder or address that published_lake names")
    asked = parser.parse_args()
    # Spark shows times in a zone; those of the tables are moments.
    spark = (
        SparkSession.builder.appName("conversync").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    )
    for row in net_revenue(table(spark, asked.lake, "marts.conversions")).collect():
        print(*row, sep="\t")
    spark.stop()


if __name__ == "__main__":
    main()
