"""What goes to standard error beside the results: what is waited for, and with --debug the log, redacted."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from conversync.cli import terminal
from conversync.http.redact import plain, redact

# What is told to everybody, and not with --debug alone.
TOLD = ("conversync.waiting", "conversync.proxy")


def begin(*, debug: bool) -> None:
    """For the rest of the process: whoever logs, and whatever is raised and caught by nobody, shows no secret."""
    if debug:
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("conversync").setLevel(logging.DEBUG)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Redacted("%(asctime)s %(name)s %(message)s"))
    sys.excepthook = _last_words
    threading.excepthook = lambda failed: _last_words(
        failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    )
    speak("text")


def speak(log_format: str) -> None:
    """In which format such lines are written from now on."""
    for name in TOLD:
        logger = logging.getLogger(name)
        logger.handlers = [_Line(as_json=log_format == "json")]
        logger.propagate = False


class _Redacted(logging.Formatter):
    """A record is a line, and a traceback lines that are set in: both quote what somebody could not read."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return plain(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return _set_in(super().formatException(ei))

    def format(self, record: logging.LogRecord) -> str:
        return redact(plain(super().format(record), lines=True))


class _Line(logging.Handler):
    """A line on standard error as it is at that moment: on a terminal, that is above the bar."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        if self._json:
            terminal.emit(getattr(record, "told", {"text": record.getMessage()}), error=True)
        else:
            terminal.say(f"conversync: {record.getMessage()}", error=True)


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    text = _set_in("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
    terminal.say(redact(plain(text, lines=True)), error=True, lines=True)


def _set_in(trace: str) -> str:
    """A traceback whose lines cannot be taken for ours: what an exception quotes may begin lines of its own."""
    return "\n    ".join(trace.split("\n"))
