"""What `conversync init` asks on a terminal. What cannot be meant is said, and asked again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import typer

from conversync.errors import SettingsError
from conversync.http.origin import parse_origin
from conversync.http.secret import check_secret
from conversync.settings.registry import unknown
from conversync.vendors import vendors

T = TypeVar("T")


class Questions:
    """Asks on the terminal; secrets are not shown while they are typed."""

    def sources(self) -> list[str]:
        """Which sources, of those there are; at least one."""
        return _until_right(
            lambda: typer.prompt(f"Which sources ({', '.join(vendors())})", default=next(iter(vendors()))),
            _sources,
        )

    def value(self, name: str, *, secret: bool) -> str:
        """One setting as text; empty to fill it in later."""
        hint = " (hidden; empty to fill it in later)" if secret else " (empty to fill it in later)"

        def check(text: str) -> str:
            if text and secret:
                check_secret(name, text)
            elif text and name.endswith("_url"):
                parse_origin(text, name)
            return text

        return _until_right(
            lambda: typer.prompt(f"{name}{hint}", default="", show_default=False, hide_input=secret), check
        )

    def zone(self, name: str, default: str) -> str:
        """The zone in which a vendor's days begin: it decides on which day money counts."""
        from conversync.extract.columns import zone

        def check(text: str) -> str:
            zone(text, name)
            return text

        asks = f"{name}: where the vendor's days begin, which decides the day on which money counts"
        return _until_right(lambda: typer.prompt(asks, default=default), check)

    def again(self, what: str) -> bool:
        """Whether there is one more."""
        return typer.confirm(f"Another {what}?", default=False)


def known_source(name: str) -> None:
    """SettingsError, with the nearest name, for a source that does not exist."""
    if name not in vendors():
        raise unknown("source", name, list(vendors()))


def _sources(text: str) -> list[str]:
    names = [name for name in re.split(r"[\s,]+", text) if name]
    for name in names:
        known_source(name)
    if not names:
        raise SettingsError(f"No source is named; the sources are {', '.join(vendors())}.")
    return names


def _until_right(ask: Callable[[], str], read: Callable[[str], T]) -> T:
    """Asks until `read` takes the answer; what it refuses is said."""
    while True:
        try:
            return read(str(ask()).strip())
        except SettingsError as error:
            typer.echo(str(error))
