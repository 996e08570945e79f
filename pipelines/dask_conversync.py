"""Conversync for Dask: a long range of days into one PostgreSQL, read by a cluster of processes, a shard each. Copy it.

Dask and Conversync need not share an environment: the command is run, found on the PATH or named by
CONVERSYNC_COMMAND, in the folder CONVERSYNC_PROJECT (the working directory), whose `.dlt/` holds the settings. Another
cluster than the local one is as good, if its workers find both.

    python pipelines/dask_conversync.py besitos 2023-01-01 2024-12-31 --shards 8 --workers 4
"""

import argparse
import os
import subprocess
from uuid import uuid4

from distributed import Client, LocalCluster, wait

COMMAND = os.environ.get("CONVERSYNC_COMMAND", "conversync")
PROJECT = os.environ.get("CONVERSYNC_PROJECT", ".")
DESTINATION = os.environ.get("CONVERSYNC_DESTINATION", "postgres")
# Done, and done but something wants a look (see the README's exit codes).
DONE, LOOK = 0, 3
# A warehouse that is locked or away, or a vendor that is unavailable: the same a while later may end well.
PASSING = (4, 6)
# So often a shard is begun again for that; and as often Dask begins one again whose worker was lost. What the lost one
# had begun may go on beside it until it has ended, which doubles nothing.
RETRIES = 3


def load(shard: str, source: str, first: str, last: str) -> int:
    """Runs a shard's load; its exit code, RuntimeError where it may end well a while later."""
    argv = ["load", source, "--from", first, "--to", last, "--shard", shard, "--destination", DESTINATION]
    command = [COMMAND, *argv, "--wait", "3h", "--project", PROJECT]
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - ours
    if code in PASSING:
        raise RuntimeError(f"conversync load of shard {shard} ended with {code}")
    return code


def backfill(client: Client, source: str, first: str, last: str, shards: int) -> list[int]:
    """The exit codes of all shards of the days `first` to `last`; SystemExit, with their names, where some never ended.

    The others have come to their ends by then.
    """
    names = [f"{number}/{shards}" for number in range(1, shards + 1)]
    days = {"source": source, "first": first, "last": last}
    # Each does something: the result of one that was the same before is not taken for it.
    keys = [f"shard {name} {uuid4()}" for name in names]
    begun = client.map(load, names, **days, key=keys, retries=RETRIES)
    wait(begun)
    if lost := [name for name, one in zip(names, begun, strict=True) if one.status != "finished"]:
        raise SystemExit(
            f"to be started again: conversync load --shard {' and '.join(lost)} (the log says why)"
        )
    return list(client.gather(begun))


def main() -> None:
    """Exits with 1 where a shard failed, and with 3 where one wants a look; the log says which."""
    parser = argparse.ArgumentParser(description="Reads a long range of days by many processes.")
    for name in ("source", "first", "last"):
        parser.add_argument(name)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--workers", type=int, default=4)
    asked = parser.parse_args()
    with (
        LocalCluster(n_workers=asked.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        codes = backfill(client, asked.source, asked.first, asked.last, asked.shards)
    if set(codes) - {DONE, LOOK}:
        raise SystemExit(1)
    raise SystemExit(max(codes))


if __name__ == "__main__":
    main()
