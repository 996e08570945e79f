"""The process around a command: its standard streams, the signals that end it, and the code it ends with."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import IO, Any, NoReturn, cast

from conversync.count_words import counted
from conversync.http.redact import plain, redact

# What this run committed until now, by dataset: windows, rows read, and the last window's name. None where the command
# is none that reads vendors.
committed: dict[str, tuple[int, int, str]] | None = None
# Whether it reads from a day on that it was given, and what is true of such a run that did not come to its end.
begins_anew = False
BEGUN_AGAIN = "the same command reads all of its days again, which doubles nothing"

# A signal ends the process within so many seconds, whatever it is doing. Nothing is lost then: what is
# committed is safe, as it is after kill -9, and the lock is the kernel's.
GRACE = 20.0


# The C library's names for what `give_memory_back` sets, and what it sets them to.
_MALLOC = {
    -3: 256 * 1024,  # M_MMAP_THRESHOLD
    -1: 1024 * 1024,  # M_TRIM_THRESHOLD
    -8: 2,  # M_ARENA_MAX
}


# See `look_for_cycles_seldom`.
_NEW_OBJECTS = 20_000


def give_memory_back() -> None:
    """From now on, what is large goes back to the system as soon as it is let go; where the C library can say so.

    Left alone, glibc keeps what it was given: one body of 30 MB makes it take the next ones out of what it holds for
    small things, which then never shrinks, in each thread's own store.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in _MALLOC.items():
            mallopt(name, value)


def look_for_cycles_seldom() -> None:
    """From now on Python looks for cycles after so many new objects, not after 700: a page makes more than that.

    Each look finds next to nothing, and many of them walk through all that was imported.
    """
    gc.set_threshold(_NEW_OBJECTS)


def guard_streams() -> None:
    """Standard streams that a run survives: closed ones lead nowhere, a reader may leave, and text is only text.

    Without this, the warehouse file could be opened as number 1 or 2, and what is printed would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = _guarded(sys.stdout, sys.__stdout__, 1)
    sys.stderr = _guarded(sys.stderr, sys.__stderr__, 2)


def _guarded(stream: IO[str] | None, original: IO[str] | None, number: int) -> IO[str]:
    if stream is not None and stream is not original:
        return stream  # somebody captures what is printed
    return _Plain(
        io.BufferedWriter(cast("io.RawIOBase", _Forgiving(number, "w", closefd=False))),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=number == 2 or os.isatty(number),
    )


class _Forgiving(io.FileIO):
    """Takes everything: what cannot be written (nobody reads, no space) is forgotten."""

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        with suppress(OSError):
            if (written := super().write(data)) is not None:
                return written
        return len(data)


# Colours, which a terminal may show, and click writes into its help.
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


class _Plain(io.TextIOWrapper):
    """Shows the escapes of what a terminal or a log would obey, colours on a terminal aside. Its last resort:

    what others wrote is cleaned where it is printed (see `conversync.cli.terminal`).
    """

    as_json = False
    _begun = ""

    def write(self, text: str) -> int:
        if self.as_json:
            return self._write_object(text)
        parts = _COLOUR.split(text) if "\x1b" in text and self.isatty() else [text]
        super().write(
            "".join(part if number % 2 else plain(part, lines=True) for number, part in enumerate(parts))
        )
        return len(text)

    def _write_object(self, text: str) -> int:
        """Whole lines, one JSON object each: our own as they are; what came in other words together in one."""
        self._begun += text
        if self._begun.endswith("\n"):
            lines, self._begun = redact(self._begun), ""
            if lines.isspace():
                return len(text)
            if not all(map(_is_object, lines.splitlines())):
                lines = json.dumps({"event": "log", "text": lines.rstrip("\n")}) + "\n"
            super().write(plain(lines, lines=True))
        return len(text)

    def end(self) -> None:
        """What has no end of its line yet is a line, too."""
        if self._begun:
            self.write("\n")
        self.flush()


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def log_in_json(arguments: Sequence[str]) -> None:
    """Where a command's arguments ask for JSON logs, whatever is written to standard error from now on is that.

    From the first line on, so that also what is wrong with settings or arguments can be read by a machine.
    """
    is_asked = "--log-format=json" in arguments or ("--log-format", "json") in pairwise(arguments)
    if is_asked and isinstance(sys.stderr, _Plain):
        sys.stderr.as_json = True


class _Styled:
    """The same stream for who writes sequences of its own: a table in colours, a bar."""

    def __init__(self, stream: _Plain) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def styled(stream: IO[str]) -> Any:
    """The stream as rich may write to it, which has cleaned what it shows: on a terminal with all that moves there."""
    return _Styled(stream) if isinstance(stream, _Plain) and stream.isatty() else stream


class Stopped(SystemExit):
    """Raised in the main thread by SIGINT and SIGTERM. Not a KeyboardInterrupt, which dlt would wrap."""


class Signals:
    """SIGINT and SIGTERM raise `Stopped` once, wherever the main thread is; a second one ends the process.

    Some code swallows what a signal handler raises (a destructor, a library's callback), and some does not come
    back to Python for long. So a thread of its own, which no work holds up, ends the process after `GRACE`.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._wakes, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    @property
    def exit_code(self) -> int | None:
        """128 and the signal's number, once one was received."""
        return None if self.received is None else 128 + self.received

    def _stop(self, number: int, _frame: object) -> NoReturn:
        if self.received is not None:
            os._exit(128 + number)
        self.received = signal.Signals(number)
        raise Stopped(128 + number)

    def _watch(self) -> None:
        stopping = (signal.SIGINT, signal.SIGTERM)
        while (number := os.read(self._wakes, 1)[0]) not in stopping:
            pass
        time.sleep(GRACE)
        os._exit(128 + number)


def end_line(name: str) -> str:
    """What a run that a signal ended says: what it committed, and where the next one goes on."""
    begun = f"conversync: stopped by {name}; "
    if committed is None:
        return f"{begun}what was committed is safe, and the same command can be run again."
    if not committed:
        after = BEGUN_AGAIN if begins_anew else "the next one goes on where the last one that did ended"
        return f"{begun}this run had committed nothing yet; {after}."
    parts = [
        f"{dataset} {counted(windows, 'window')} ({received:,} rows, the last: {label})"
        for dataset, (windows, received, label) in committed.items()
    ]
    after = BEGUN_AGAIN if begins_anew else "the next run goes on from there"
    return f"{begun}committed in this run: {', '.join(parts)}; {after}."


def leave(code: int) -> NoReturn:
    """Ends the process with this code, whatever becomes of the streams."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.end() if isinstance(stream, _Plain) else stream.flush()
    sys.exit(code)
