"""Optibase: it takes conversions, and has none to read."""

from conversync.vendors import Vendor, outboxes

from .target import Conversions, OptibaseSettings

VENDOR = Vendor(
    name="optibase",
    title="Optibase",
    settings=OptibaseSettings,
    targets=(Conversions(),),
    outboxes=outboxes(__file__),
)
