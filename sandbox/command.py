"""`python -m sandbox`: the sandbox on a port until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO

from sandbox.besitos import parse_variants
from sandbox.control import instant
from sandbox.stage import Sandbox
from sandbox.world import World

DAYS = 90
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
    it is moved. `variants` are `name=value`. A bad argument raises ValueError before anything is served.
    """
    now = datetime.now(UTC) if clock is None else instant(clock)
    world = World(seed, now.astimezone(UTC).date() - timedelta(days=days - 1), days)
    world.now = now
    stop = threading.Event()
    sandbox = Sandbox(world, variants=parse_variants(variants), port=port)
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


def _settings(sandbox: Sandbox) -> str:
    """Lines for a shell: the settings as exports, all else as comments."""
    days = [one.occurred_on for one in sandbox.besitos.oracle.statements().values()]
    held = f"from {min(days)} to {max(days)}" if days else "on no day yet"
    return (
        f"export BESITOS_URL={sandbox.url}\n"
        f"export BESITOS_TOKEN={sandbox.token}\n"
        f"export BESITOS_PARTNER_ID={sandbox.besitos.partner_id}\n"
        f"# Besitos tells of {len(days)} events {held} ({sandbox.besitos.variants.zone}).\n"
        f"# The clock stands at {sandbox.world.now.isoformat(timespec='seconds')}; to move it a day on:\n"
        f"#   curl -d '{{\"advance_hours\": 24}}' {sandbox.url}/_sandbox/clock\n"
        f"# What a reader must then hold: curl {sandbox.url}/_sandbox/oracle\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 once stopped, 2 for a bad argument."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The vendors on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--clock", metavar="ISO", help="where the clock stands, and with it the last day")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=VALUE", help="repeatable")
    given = parser.parse_args(arguments)
    try:
        serve(given.port, seed=given.seed, days=given.days, clock=given.clock, variants=given.variant)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0
