"""What we write to, one file a vendor: what a row becomes as one request, and what the answer means."""

from __future__ import annotations

from destinations.target import Target


def targets() -> dict[str, Target]:
    """Every target by its name, as the command has it."""
    from destinations import conductrics, infobip, infobip_messages, keitaro, optibase

    found: list[Target] = [
        optibase.Conversions(),
        keitaro.Conversions(),
        infobip.Processes(),
        infobip.Tags(),
        infobip.Logs(),
        infobip_messages.Messages(),
        conductrics.Goals(),
    ]
    return {target.name: target for target in found}
