"""The nursery of tests/process, with kill points of its own: before and after each write of the journal, each request,
and each SQL statement of dlt's; not at every change of the file system."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.process import nursery as base


def around(owner: Any, name: str, meet: Callable[[], None]) -> None:
    """Meets a point before and after each call."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        meet()
        result = original(*arguments, **options)
        meet()
        return result

    setattr(owner, name, wrapped)


def main() -> None:
    """As the base's."""
    statements = base.statements

    def more(meet: Callable[[], None]) -> None:
        from conversync.http.client import Client
        from conversync.send.journal import Journal

        statements(meet)
        around(Journal, "_write", meet)
        around(Client, "request", meet)

    def none(meet: Callable[[], None]) -> Callable[[str, tuple[Any, ...]], None]:
        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            """Changes of files are no points here."""
            del event, arguments

        del meet
        return hook

    base.statements = more
    base.changes = none
    base.main()


if __name__ == "__main__":
    import conversync.cli.send
    import conversync.send.run
    import conversync.send.shown
    import conversync.vendors

    conversync.vendors.targets()
    main()
