"""A process that has the imports behind it and forks one `conversync` for each request: hundreds of runs are cheap.

Run as `python -m tests.process.nursery`. One JSON line in, one out: `{"argv", "env", "cwd", "stdout", "stderr",
"points", "kill_at", "kill_with"}` starts a run and answers its `{"pid"}`; `{"wait": pid}` answers `{"code"}`. It ends with its
standard input. A forked run is the command as it is from `main()` on. Nothing of it was configured before the
fork: importing dlt reads no settings.

With `kill_at`, the run sends itself SIGKILL (or the signal `kill_with`) at that kill point: before each change of the file system (an audit
event) and before and after each SQL statement. `points` names a file to which the number of points met is written.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

# What changes something on a disk. `open` is one where it may write.
CHANGES = frozenset({"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.copyfile"})


def run(wish: dict[str, Any]) -> NoReturn:
    """The forked process: what `exec` would have set, then the command."""
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    time.tzset()
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, wish["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, wish["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        handle = os.open(path, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.argv = ["conversync", *wish["argv"]]
    meet = _counter(wish.get("kill_at"), wish.get("kill_with") or signal.SIGKILL, wish.get("points"))
    if meet is not None:
        sys.addaudithook(_changes(meet))
        _statements(meet)
    from pipelines.cli import main

    code: Any = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # As the interpreter ends, threads joined and all; native libraries do not unload well after a fork.
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        os._exit(code)


def _counter(kill_at: int | None, kill_with: int, points: str | None) -> Callable[[], None] | None:
    if kill_at is None and points is None:
        return None
    met = 0
    tally = os.open(points, os.O_WRONLY | os.O_CREAT, 0o600) if points else None

    def meet() -> None:
        nonlocal met
        met += 1
        if tally is not None:
            os.pwrite(tally, str(met).encode(), 0)
        if met == kill_at:
            os.kill(os.getpid(), kill_with)

    return meet


def _changes(meet: Callable[[], None]) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES and (event != "open" or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
            meet()

    return hook


def _statements(meet: Callable[[], None]) -> None:
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    original: Any = DuckDbSqlClient.execute_query

    @contextmanager
    def execute_query(self: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        meet()
        with original(self, *arguments, **options) as cursor:
            meet()
            yield cursor

    DuckDbSqlClient.execute_query = execute_query  # type: ignore[method-assign]


def main() -> None:
    """Answers requests until standard input ends."""
    import dlt.destinations.impl.duckdb.duck
    import dlt.load.load
    import dlt.normalize.normalize
    import pyarrow.dataset
    import rich.progress
    import rich.table  # noqa: F401

    import pipelines.cli
    import pipelines.load
    import pipelines.report
    import pipelines.vendors
    import pipelines.views

    pipelines.vendors.vendors()
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            _, status = os.waitpid(wish["wait"], 0)
            print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
        elif pid := os.fork():
            print(json.dumps({"pid": pid}), flush=True)
        else:
            run(wish)


if __name__ == "__main__":
    main()
