"""Between what a number of the settings can be meant."""

from __future__ import annotations

from collections.abc import Mapping

from conversync.errors import SettingsError
from conversync.types import Settings

# Days of a lookback: ten years. Seconds that a vendor is waited for: a day.
DAYS = (1, 3_650)
BUDGET = (0, 86_400)


def check_ranges(settings: Settings, limits: Mapping[str, tuple[int, int]]) -> None:
    """SettingsError for the first setting that is below its least, or above its most."""
    for name, (least, most) in limits.items():
        if not least <= settings[name] <= most:
            raise SettingsError(
                f"{name} is {settings[name]}, but must be at least {least} and at most {most}."
            )
