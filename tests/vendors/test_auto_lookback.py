"""The lookback of a vendor by declaration may set itself, too."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from acme_conversions import VENDOR, AcmeSettings

from conversync.errors import SettingsError
from conversync.extract.lookback import watch
from conversync.settings import lookup
from conversync.vendors import LoadRequest
from tests.houses import environment

SET = {"ACME_KEY": "acme-key-of-a-test", "ACME_LOOKBACK_DAYS": "auto"}
DAY = timedelta(days=1)


def begins(state: dict[str, Any], settings: AcmeSettings) -> str:
    """The first day that its next run asks for."""
    [step] = VENDOR.steps(state, settings, LoadRequest(window_days=400))
    return step.label.split()[1]


def test_a_vendor_by_declaration_reads_as_far_as_was_late() -> None:
    """Its log is what is measured; the default where nothing was; a word that is none is refused."""
    with environment(SET):
        settings = lookup.resolve(AcmeSettings, "acme")
    today: date = settings.today()
    [lookback] = VENDOR.lookbacks
    assert (lookback.stream, lookback.log, lookback.zone) == ("conversions", "conversion_events", "acme_zone")
    state: dict[str, Any] = {"conversions": {"first": str(today - 90 * DAY), "through": str(today)}}
    assert begins(state, settings) == str(today - 7 * DAY)
    own, _ = watch(state, settings, lookback)
    for night in (today - number * DAY for number in range(40, -1, -1)):
        own.take([(night - 40 * DAY, 0), (night - 12 * DAY, 20)], night, [(night - 60 * DAY, night, night)])
    assert begins(state, settings) == str(today - 12 * DAY)
    with environment({**SET, "ACME_LOOKBACK_DAYS": "soon"}), pytest.raises(SettingsError, match='or "auto"'):
        lookup.resolve(AcmeSettings, "acme")
