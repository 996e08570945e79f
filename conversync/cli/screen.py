"""Rich's console as ours; imported where something is drawn, for rich takes its time."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from conversync.http.redact import plain


class Screen(Console):
    """Shows what others wrote as what it is.

    Its `say` prints one line, in a style of ours. Texts that are printed otherwise may have lines of their own, and
    ours may have markup.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's own, of a text without control characters."""
        return super().render_str(plain(text, lines=True), **options)

    def say(self, text: str, style: str | None = None) -> None:
        """One line."""
        self.print(plain(text), markup=False, style=style)
