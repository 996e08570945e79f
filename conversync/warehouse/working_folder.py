"""The folder that a run works in. It is locked by its run, so that others know what a killed one left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from conversync.warehouse import files


class WorkingFolder:
    """A new folder among those of `runs`, at `path`; what ended runs left there goes. OSError where it cannot be made.

    A link in the place of `runs` goes, too, and nothing of where it leads.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        if runs.is_symlink():
            runs.unlink()
        handle = None
        while handle is None:
            files.private_folder(runs)
            for left in runs.iterdir():
                _clear(left)
            with suppress(FileNotFoundError):  # another run, the last one there until now, took `runs` along
                self.path = Path(tempfile.mkdtemp(dir=runs))
                handle = _locked(self.path)
        self._handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)
        with suppress(OSError):  # others work there
            self._runs.rmdir()


def _clear(left: Path) -> None:
    """Removes what nobody works in."""
    with suppress(OSError):
        if left.is_symlink() or not left.is_dir():
            left.unlink()
        elif (handle := _locked(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(handle)


def _locked(folder: Path) -> int | None:
    """The folder, open and locked; None where somebody else has it, or removed it meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return handle
    os.close(handle)
    return None
