"""Text that a terminal, a log, a chat service or rich would obey; and whether anything obeyed it."""

from __future__ import annotations

# Clears the screen, takes the clipboard, turns the direction, begins a line of its own, calls a channel, is markup.
CANARY = (
    "canary\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\u202e\u2066\u200b\r\nforged: all is well\x00\x08"
    "<!channel> <@U1> <https://x.example|y> @everyone [bold]loud[/bold] [link=https://x.example]l[/link]"
)
# The same without what no database stores and no identifier may hold.
STORED = CANARY.replace("\x00", "")


def harmless(text: str) -> None:
    """Asserts that the text is printable lines, none of which the canary began."""
    bad = {f"U+{ord(c):04X}" for c in text if not c.isprintable() and c != "\n"}
    assert not bad, (bad, text[:2_000])
    assert not [line for line in text.splitlines() if line.startswith("forged")]


def harmless_in_chat(text: str) -> None:
    """Asserts the same of a paragraph that a chat service shows: nobody is called, and no link is another's."""
    harmless(text)
    assert not {"<", ">", "@", "\n"} & set(text)
