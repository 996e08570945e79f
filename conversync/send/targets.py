"""What we write to, one file a vendor: what a row becomes as one request, and what the answer means."""

from __future__ import annotations

from conversync.send.target import Target


def targets() -> dict[str, Target]:
    """Every target by its name, as the command has it."""
    from sources.conductrics import target
    from sources.infobip import messages, targets
    from sources.keitaro import target
    from sources.optibase import target

    found: list[Target] = [
        target.Conversions(),
        target.Conversions(),
        targets.Processes(),
        targets.Tags(),
        targets.Logs(),
        messages.Messages(),
        target.Goals(),
    ]
    return {target.name: target for target in found}
