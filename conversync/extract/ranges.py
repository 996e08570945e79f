"""Between what a number of the settings can be meant, and the one word that may stand in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from conversync.dlt_internals import ConfigValueCannotBeCoercedException
from conversync.errors import SettingsError
from conversync.types import Settings

# Days of a lookback: ten years. Seconds that a vendor is waited for: a day.
DAYS = (1, 3_650)
BUDGET = (0, 86_400)
# A lookback that follows from what was measured (see lookback.py).
AUTO = "auto"

LOOKBACK_IN_WORDS = 'a whole number, or "auto"'

if TYPE_CHECKING:
    LookbackDays = int | str
else:

    class LookbackDays(str):
        """The type of a setting that is whole days, or "auto": it comes as text, `check_ranges` makes it a number."""


def check_ranges(settings: Settings, limits: Mapping[str, tuple[int, int]]) -> None:
    """SettingsError for the first setting that is below its least, or above its most.

    A lookback becomes a number, if it is not "auto"; dlt's error for a value of another kind where it is neither.
    """
    hints = settings.get_resolvable_fields()
    for name, (least, most) in limits.items():
        if is_lookback(hints.get(name)):
            settings[name] = lookback_days(name, settings[name])
        if settings[name] != AUTO and not least <= settings[name] <= most:
            raise SettingsError(
                f"{name} is {settings[name]}, but must be at least {least} and at most {most}."
            )


def is_lookback(hint: object) -> bool:
    """Whether a setting is of that type."""
    return hint is LookbackDays


def lookback_days(name: str, value: int | str) -> int | str:
    """A number, or "auto"; dlt's error, naming the setting, for anything else."""
    if value == AUTO:
        return AUTO
    try:
        return int(value)
    except ValueError:
        raise ConfigValueCannotBeCoercedException(name, value, LookbackDays) from None  # type: ignore[arg-type]
