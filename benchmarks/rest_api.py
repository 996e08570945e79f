"""Contestant: dlt's own declarative `rest_api` source, tuned.

Usage: `python -m benchmarks.rest_api FEED_URL TOKEN DATABASE FROM TO`.
"""

import os
import sys
from pathlib import Path
from typing import Any

V = os.environ.get("V", "")
TUNING = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": os.environ.get("BUF", "50000"),
    "NORMALIZE__WORKERS": os.environ.get("NW","1"),
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__WORKERS": "1",
}
if "F" in V: TUNING["DATA_WRITER__FILE_MAX_ITEMS"]="250000"

MONEY = {"data_type": "decimal", "precision": 18, "scale": 6}


def flagged(row: dict[str, Any]) -> dict[str, Any]:
    if "reverse" not in row:
        row["reverse"] = 0
    return row

def source(url: str, token: str, first_day: str, last_day: str) -> Any:
    from dlt.sources.rest_api import rest_api_source
    extra={}
    if "S" in V:
        import requests
        extra["session"]=requests.Session()
        if "O" in V:
            import orjson
            requests.models.complexjson=orjson
        if "J" in V:
            import json
            requests.models.complexjson=json
        if "T" in V:
            extra["session"].trust_env=False
    strat={"u":{"disposition":"merge","strategy":"upsert"},"d":{"disposition":"merge","strategy":"delete-insert"},"D":{"disposition":"merge","strategy":"delete-insert","deduplicated":True},"i":{"disposition":"merge","strategy":"insert-only"}}
    wd=strat[os.environ.get("M","u")]
    return rest_api_source(
        {
            "client": {"base_url": f"{url}/data/partner/", "auth": {"type": "bearer", "token": token},**extra},
            "resources": [
                {
                    "name": "conversions",
                    "endpoint": {
                        "path": "conversions",
                        "params": {"from_date": first_day, "to_date": last_day, "per_page": 1000},
                        "data_selector": "data",
                        "paginator": {"type": "page_number", "base_page": 1, "total_path": "meta.last_page"},
                    },
                    "processing_steps": [{"map": flagged}],
                    "primary_key": ["transaction_id", "reverse"],
                    "write_disposition": wd,
                    "columns": {
                        "transaction_id": {"data_type": "bigint"},
                        "reverse": {"data_type": "bigint"},
                        "user_id": {"data_type": "text"},
                        "offer_id": {"data_type": "text"},
                        "offer_name": {"data_type": "text"},
                        "goal_id": {"data_type": "text"},
                        "note": {"data_type": "text"},
                        "date_time": {"data_type": "text"},
                        "payout": dict(MONEY),
                        "reward": dict(MONEY),
                        "reward_local_currency": dict(MONEY),
                    },
                    **({"parallelized":True} if "P" in V else {}),
                }
            ],
        },
        name="besitos", max_table_nesting=0,
    )


def main() -> None:
    url, token, database, first_day, last_day = sys.argv[1:]
    os.environ.update(TUNING)
    import dlt

    pipeline = dlt.pipeline(
        "rest_api",
        destination=dlt.destinations.duckdb(database),
        dataset_name="besitos",
        pipelines_dir=str(Path(database).parent / "pipelines"),
    )
    pipeline.run(source(url, token, first_day, last_day), loader_file_format="parquet")


if __name__ == "__main__":
    main()
