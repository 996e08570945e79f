"""A process that has the imports behind it and forks one `conversync` for each request: hundreds of runs are cheap.

Run as `python -m tests.process.nursery`. One JSON line in, one out: the fields of `support.Wish` start a run and
answer its `{"pid"}`; `{"wait": pid}` answers `{"code"}`. It ends with its standard input. A forked run is the command
as it is from `main()` on; nothing of it was configured before the fork, for importing dlt reads no settings.

A kill point is met before each change of the file system (an audit event) and before and after each SQL statement
of dlt's. At point `at` the run sends itself the signal `number`, or raises an error that nobody expects if that
is 0. `points` names a file that takes the number of points met. Two runs differ by a few points, for threads meet
some of them: a run that was to be killed and ends before point `at` is killed as it ends.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

# What changes something on a disk. `open` is one where it may write.
CHANGES = frozenset(
    {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.copyfile"}
)


def run(wish: dict[str, Any]) -> NoReturn:
    """The forked process: what `exec` would have set, then the command."""
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    os.umask(wish["umask"])
    time.tzset()
    if wish["ordinary"]:
        be_ordinary()
    if not wish["privileged"]:
        obey_permissions()
    for kind, limit in wish["limits"].items():
        resource.setrlimit(getattr(resource, kind), (limit, limit))
    stream(0, os.devnull)
    stream(1, wish["stdout"])
    stream(2, wish["stderr"])
    if wish["user"]:
        be_somebody(wish["user"])
    sys.argv = ["conversync", *wish["argv"]]
    meet = None
    if wish["at"] or wish["points"]:
        meet = Points(wish["at"], wish["number"], wish["points"])
        sys.addaudithook(changes(meet))
        statements(meet)
    from conversync.cli.main import main

    code: Any = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        # As the interpreter ends, threads joined and all; native libraries do not unload well after a fork.
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        if meet and meet.met < wish["at"] and wish["number"] == signal.SIGKILL:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(code)


def obey_permissions() -> None:
    """For root as for others, what the permission bits forbid is forbidden (see capabilities(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) == 0:
        sets[0] &= ~0b110  # effective, without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        libc.capset(header, sets)


def be_ordinary() -> None:
    """For root: a user like others, who keeps root's rights to files (see capabilities(7), SECBIT_NO_SETUID_FIXUP)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(28, 4)
        os.seteuid(65534)


def be_somebody(number: int) -> None:
    """For root: another user, in a group of the same number, with no right of root's but to read what Python needs.

    Programs that it starts have that one, too (see capabilities(7), PR_CAP_AMBIENT).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(28, 4)
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    sets[0] = sets[1] = sets[2] = 0b100  # CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    assert libc.prctl(47, 2, 2, 0, 0) == 0


def stream(number: int, path: str) -> None:
    """Leads a standard stream to a file; or `closed`, or to a pipe that nobody reads (`broken`)."""
    if path == "closed":
        os.close(number)
        return
    if path == "broken":
        read, handle = os.pipe()
        os.close(read)
    else:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.dup2(handle, number)
    os.close(handle)


class Points:
    """What is called at each kill point; counts them."""

    def __init__(self, at: int, number: int, points: str | None) -> None:
        self.met = 0
        self._at = at
        self._number = number
        self._tally = os.open(points, os.O_WRONLY | os.O_CREAT, 0o600) if points else None

    def __call__(self) -> None:
        self.met += 1
        if self._tally is not None:
            os.pwrite(self._tally, str(self.met).encode(), 0)
        if self.met == self._at and self._number:
            os.kill(os.getpid(), self._number)
        elif self.met == self._at:
            raise RuntimeError("an error that nobody expects")


def changes(meet: Callable[[], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook that meets a point before each change of the file system."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES and (event != "open" or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
            meet()

    return hook


def statements(meet: Callable[[], None]) -> None:
    """Meets a point before and after each statement."""
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
    import importlib

    for name in (
        *("duckdb", "pyarrow.dataset", "rich.progress", "rich.table", "sqlglot"),
        *("dlt.destinations.impl.duckdb.duck", "dlt.load.load", "dlt.normalize.normalize"),
        *(
            "conversync.cli.main",
            "conversync.load",
            "conversync.cli.output",
            "conversync.vendors",
            "conversync.warehouse.views",
        ),
    ):
        importlib.import_module(name)
    from conversync.vendors import vendors

    vendors()
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            _, status = os.waitpid(wish["wait"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        elif pid := os.fork():
            answer = {"pid": pid}
        else:
            run(wish)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
