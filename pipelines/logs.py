"""What goes to standard error beside the results: what is waited for, and with --debug the log, redacted."""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextlib import suppress
from types import TracebackType

from wire.redact import redact

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
    """Tracebacks included: they quote what somebody could not read."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Line(logging.Handler):
    """A line on standard error as it is at that moment: on a terminal, that is above the bar."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        told = getattr(record, "told", {"text": record.getMessage()})
        text = json.dumps(told) if self._json else f"conversync: {record.getMessage()}"
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)  # noqa: T201


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    with suppress(OSError, ValueError):
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
