"""`python -m conversync.sandbox`: the sandbox on a port until it is told to stop."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from textwrap import fill
from typing import Any, TextIO

from conversync.sandbox import front
from conversync.sandbox.besitos import variants as besitos
from conversync.sandbox.conductrics import variants as conductrics
from conversync.sandbox.control import READINGS, instant
from conversync.sandbox.infobip import variants as infobip
from conversync.sandbox.keitaro import variants as keitaro
from conversync.sandbox.optibase import variants as optibase
from conversync.sandbox.readings import UnknownVariantError, listed, meant, parse
from conversync.sandbox.stage import Sandbox
from conversync.sandbox.world import World

DAYS = 90
MOST_DAYS = 3650
SEED = 7


def serve(
    port: int = 0,
    *,
    seed: int = SEED,
    days: int = DAYS,
    clock: str | None = None,
    variants: Sequence[str] = (),
    out: TextIO | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then returns. The story's last day is the clock's.

    `clock` is an ISO instant (UTC unless it says otherwise), by default the real one's; it stands still until
    it is moved. `variants` are `name=value` for Besitos, `keitaro.name=value` for others. A bad argument
    or a port that cannot be had raises ValueError before anything is served.
    """
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"--days is {days}, and may be from 1 to {MOST_DAYS}")
    if not 0 <= port <= 65535:
        raise ValueError(f"--port is {port}, and may be from 1 to 65535, or 0 for any free one")
    now = datetime.now(UTC) if clock is None else instant(clock)
    world = World(seed, now.astimezone(UTC).date() - timedelta(days=days - 1), days)
    world.now = now
    stop = threading.Event()
    sandbox = _at(port, world)
    try:
        set_variants(sandbox, variants)
    except ValueError:
        sandbox.stop()
        raise
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with sandbox:
            (out or sys.stdout).write(_settings(sandbox))
            (out or sys.stdout).flush()
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at(port: int, world: World) -> Sandbox:
    try:
        return Sandbox(world, port=port)
    except OSError as error:
        reason = (
            "is taken"
            if error.errno == errno.EADDRINUSE
            else f"cannot be had ({os.strerror(error.errno or 0)})"
        )
        raise ValueError(
            f"port {port} {reason}: name another one with --port, or 0 for any free one"
        ) from None


def set_variants(sandbox: Sandbox, variants: Sequence[str]) -> None:
    """`order=newest` (Besitos) or `keitaro.generation=old`; ValueError says what would be right."""
    for pair in variants:
        before, dot, rest = pair.partition(".")
        name, text = (before, rest) if dot and "=" not in before else ("besitos", pair)
        if name not in READINGS:
            raise ValueError(f"no vendor {name!r}{meant(name, READINGS)}; there are {', '.join(READINGS)}")
        vendor: Any = getattr(sandbox, name)
        try:
            vendor.variants = parse([text], vendor.variants)
        except UnknownVariantError as error:
            if text is not pair:
                raise
            others = ", ".join(f"{one}." for one in READINGS if one != name)
            raise ValueError(f"{error}; those of other vendors have {others} before the name") from None


def _settings(sandbox: Sandbox) -> str:
    """Lines for a shell: the settings as exports, all else as comments."""
    days = [one.occurred_on for one in sandbox.besitos.oracle.statements().values()]
    held = f"from {min(days)} to {max(days)}" if days else "on no day yet"
    goals, events = sandbox.conductrics.oracle.goals(), sandbox.keitaro.oracle.events()
    exports = [f"export {name}={quote(value)}\n" for name, value in sandbox.settings().items()]
    return (
        "".join(exports[:3])
        + f"# Besitos tells of {len(days)} events {held} ({sandbox.besitos.variants.zone}).\n"
        + "".join(exports[3:])
        + f"# Keitaro tells of {len(events)} conversions, Conductrics of {len(goals)} goals.\n"
        f"# The clock stands at {sandbox.world.now.isoformat(timespec='seconds')}"
        " (--variant server.date=clock tells it in each answer); to move it a day on:\n"
        f"#   curl -d '{{\"advance_hours\": 24}}' {sandbox.url}/_sandbox/clock\n"
        "# A load asks for days up to this machine's: for a second night, begin with --clock some days ago.\n"
        f"# What a reader of all its days must then hold: curl {sandbox.url}/_sandbox/oracle\n"
        "# (a load looks back as far as its settings say, and may lack what was restated of days before).\n"
    )


def variants_listed() -> str:
    """All variants by vendor, each with its values, the default first."""
    paragraphs = [
        "variants, the default first (what each means: sandbox/<vendor>/variants.py, conversync/sandbox/front.py):"
    ]
    defaults = (besitos, keitaro, infobip, conductrics, optibase, front)
    for name, variants in zip(READINGS, defaults, strict=True):
        prefix = "" if name == "besitos" else f"{name}."
        words = " ".join(prefix + one for one in listed(variants.Variants()))
        paragraphs.append(f"{name}:\n" + fill(words, 100, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(paragraphs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 once stopped, 2 for a bad argument."""
    parser = argparse.ArgumentParser(
        prog="python -m conversync.sandbox",
        description="The vendors on loopback.",
        epilog=variants_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--clock", metavar="ISO", help="where the clock stands, and with it the last day")
    parser.add_argument(
        "--variant", action="append", default=[], metavar="[VENDOR.]NAME=VALUE", help="repeatable"
    )
    given = parser.parse_args(arguments)
    try:
        serve(given.port, seed=given.seed, days=given.days, clock=given.clock, variants=given.variant)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0
