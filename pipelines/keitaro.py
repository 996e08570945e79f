"""Keitaro into DuckDB by dlt alone: each run reads what is due. Copy it, and change what you like.

Its settings stand in the environment or in `.dlt/`, see `sources/keitaro/README.md`. `conversync load` does the
same, and adds the views, the lock, the published copy and the exit codes.
"""

import dlt

from conversync import keitaro

if __name__ == "__main__":
    # dlt's default merge into DuckDB is not atomic. The file may not be called as the dataset is.
    warehouse = dlt.destinations.duckdb("warehouse.duckdb", supports_transactions=True)
    print(dlt.pipeline("keitaro", destination=warehouse, dataset_name="keitaro").run(keitaro()))
