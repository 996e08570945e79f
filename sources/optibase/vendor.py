"""Optibase: it takes conversions, and has none to read."""

from conversync.send.tables import ledger
from conversync.vendors import Vendor, outboxes

from .target import Conversions, OptibaseSettings

VENDOR = Vendor(
    name="optibase",
    title="Optibase",
    settings=OptibaseSettings,
    targets=(Conversions(),),
    ledgers=(ledger("optibase_conversions", "Conversions that were sent to the A/B tool."),),
    outboxes=outboxes(__file__),
)
