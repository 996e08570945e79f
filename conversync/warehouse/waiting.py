"""Waiting for what somebody else holds, and the kernel's lock on a file."""

from __future__ import annotations

import logging
import time
from typing import IO

from conversync.errors import LockedError, SettingsError

try:
    import fcntl
except ImportError:
    raise SettingsError(
        "Conversync needs a system with POSIX file locks, such as Linux or macOS; on Windows, run it in WSL."
    ) from None

log = logging.getLogger("conversync")

# How often a lock is tried again while a run waits for it, in seconds.
POLL = 0.2


class Waiting:
    """Waits for `seconds` in all for what somebody else holds; says so once, and gives up with LockedError."""

    def __init__(self, seconds: float, what: str) -> None:
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._what = what
        self._said = False

    def go_on(self, way_out: str, what: str = "") -> None:
        """A moment's wait, or the end of it; `what` where somebody else holds it by now."""
        self._what = what or self._what
        if time.monotonic() >= self._until:
            raise LockedError(f"{self._what}; {way_out}.") from None
        if not self._said:
            log.warning("%s; waiting for it, up to %d seconds.", self._what, self._seconds)
            self._said = True
        time.sleep(POLL)


def acquire(handle: IO[str], wait: float, held: str, *, together: bool = False) -> None:
    """The kernel's lock on an open file, which ends with the process, however that ends; `together` with who asks so.

    LockedError, with the words of `held`, where somebody else has it for longer than `wait` seconds; SettingsError
    where the file system knows no locks, as some network mounts do.
    """
    waiting = Waiting(wait, held)
    while True:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if together else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting.go_on("try again when it has ended, or wait for it with --wait 30m")
        except OSError as error:
            raise SettingsError(
                f"The file system of {handle.name} gives no lock ({error.strerror}), and without one two runs could "
                "write at once: put the warehouse on a local disk, or mount that one with locks."
            ) from None
        else:
            return
