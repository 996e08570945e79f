"""L05: keys, reasons and statuses from an outbox, a ledger and a tracker are seen, and never obeyed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.foreign import STORED, harmless
from tests.send.support import KEITARO, OPTIBASE, Workspace
from tests.send.test_reconcile import tracker

KEY = STORED


@pytest.mark.more
def test_l05_keys_of_an_outbox_in_plan_and_summary(house: Workspace) -> None:
    """Sent, refused here and refused by the vendor; dry and for real; text and JSON."""
    house.outbox(
        KEITARO,
        [(KEY, "click-1", "sale", "1.50", "USD", "t1"), (KEY + "2", "[SUB1]", "sale", "1", "USD", "t2")],
    )
    for words in (("--dry-run",), ("--dry-run", "--log-format", "json"), (), ("--log-format", "json")):
        ended = house.command("send", KEITARO, "--from", "main.keitaro", *words)
        assert "Traceback" not in ended.out + ended.err
        assert "canary" in ended.out or "--log-format" in words
        harmless(ended.out + ended.err)


@pytest.mark.more
def test_l05_what_a_tracker_says_in_reconcile(house: Workspace) -> None:
    """Statuses and currencies of the vendor's, keys of ours."""
    house.outbox(KEITARO, [(KEY, "click-1", "sale", "1.50", "USD", "t1")])
    house.send(KEITARO)
    tracker(house, [("click-1", "t1", STORED, Decimal("1.5"), STORED)])
    for words in ((), ("--log-format", "json")):
        ended = house.command("reconcile", "keitaro", *words)
        assert "canary" in ended.out, ended.err
        harmless(ended.out + ended.err)


@pytest.mark.more
def test_l05_a_refusal_of_a_row(house: Workspace) -> None:
    """The vendor's words beside the row's key."""
    house.outbox(OPTIBASE, [(KEY, "purchase", STORED)])
    ended = house.command("send", OPTIBASE, "--from", "main.optibase")
    assert "canary" in ended.out + ended.err
    harmless(ended.out + ended.err)
