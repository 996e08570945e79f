"""What an assistant is served."""

from __future__ import annotations

from conversync.cli import options
from conversync.cli.common import at, begin


def mcp(
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
) -> None:
    """Serve the warehouse to an assistant by the Model Context Protocol, over stdin and stdout; it can only read.

    Its tools are `status`, `books`, `explain`, `as_of` and `query` (one SELECT); the last two read the published copy
    where there is one. Needs the extra `mcp`. Ends when its input does.

    Exit codes: 0 done · 2 settings, or the extra is missing.

    Example, as an assistant's settings start it: `conversync mcp --project /srv/conversync`
    """
    begin(project, debug=False)
    from conversync.assistant import Assistant, server

    server(Assistant(at(warehouse, destination), project)).run()
