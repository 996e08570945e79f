"""The folder that a run works in. A file in it is locked by its run, so that others know what a killed one left."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from conversync.warehouse import files

# A file, since what locks a folder that is open to be read is no lock on a network's file system.
LOCK = ".lock"


class WorkingFolder:
    """A new folder among those of `runs`, at `path`; what ended runs left there goes. OSError where it cannot be made.

    Who is not `together` with others is alone there: all goes. A link in the place of `runs` goes, too, and nothing of
    where it leads.
    """

    def __init__(self, runs: Path, *, together: bool) -> None:
        self._all = None if together else runs
        if runs.is_symlink():
            runs.unlink()
        elif not together:
            shutil.rmtree(runs, ignore_errors=True)
        files.private_folder(runs)
        for left in runs.iterdir():
            _clear(left)
        self.path = Path(tempfile.mkdtemp(dir=runs))
        # Nobody takes for left what has no such file yet, and it has its name only once it is locked.
        unnamed = self.path / f"{LOCK}.new"
        self._handle = unnamed.open("w")
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        unnamed.rename(self.path / LOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._all or self.path, ignore_errors=True)
        self._handle.close()


def _clear(left: Path) -> None:
    """Removes a folder of an ended run; what somebody works in, or nobody knows of, stays."""
    with suppress(OSError), (left / LOCK).open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
