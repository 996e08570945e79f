"""The command `conversync`. dlt, pyarrow and duckdb are imported where they are needed: help is quick."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from conversync.cli import (
    books,
    build,
    demo,
    forget,
    health,
    load,
    mcp_server,
    nightly,
    process,
    send,
    terminal,
    undo,
)
from conversync.errors import ConversyncError, SettingsError
from conversync.http.redact import redact
from conversync.warehouse import files

COMMANDS = (
    nightly.init,
    load.load,
    load.check,
    nightly.nightly,
    health.status,
    health.verify,
    health.alert,
    build.build,
    build.publish,
    build.report,
    send.send,
    send.reconcile,
    books.close,
    books.reopen,
    books.books,
    books.explain,
    mcp_server.mcp,
    undo.undo,
    forget.forget,
    demo.demo,
    demo.sandbox,
)


class _Told:
    """Help shows what an option takes (DATE, PATH) and nothing of Python's: a flag takes nothing."""

    def get_params(self, ctx: object) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc] # of typer's own class, beside this one
        for one in found:
            if one.param_type_name == "argument":
                one.display_type_rich = lambda **_: None
            elif one.metavar is None and one.is_flag:
                one.metavar = ""
        return found


class _Command(_Told, TyperCommand):
    """One command."""


class _Group(_Told, TyperGroup):
    """All of them."""


app = typer.Typer(
    cls=_Group,
    name="conversync",
    help="Reads conversion data from marketing vendors into DuckDB, or any other dlt destination, exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Options of every command."""
    if version:
        from importlib.metadata import version as installed

        terminal.say(f"conversync {installed('conversync')}")
        raise typer.Exit


for command in COMMANDS:
    app.command(cls=_Command)(command)


def main() -> NoReturn:
    """Runs the command and ends with its exit code: a sentence for every known cause, never a traceback."""
    process.guard_streams()
    process.log_in_json(sys.argv[1:])
    process.give_memory_back()
    process.look_for_cycles_seldom()
    files.keep_alone()
    try:
        from conversync.warehouse import warehouse  # noqa: F401 - says whether this system has what a run needs
    except SettingsError as error:
        _say(f"conversync: {error}")
        sys.exit(error.exit_code)
    signals = process.Signals()
    code = 1
    try:
        app()
    except ConversyncError as error:
        _say(f"conversync: {error}")
        code = error.exit_code
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception as error:
        if signals.received is None:
            from conversync.dlt_errors import sentence

            if (known := sentence(error)) is None:
                raise
            _say(f"conversync: {known}")
            code = known.exit_code
    if signals.received is not None:
        _say(process.end_line(signals.received.name))
    process.leave(signals.exit_code or code)


def _say(text: str) -> None:
    terminal.say(redact(text), error=True)


if __name__ == "__main__":
    main()
