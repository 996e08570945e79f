"""The settings of reading Infobip."""

from __future__ import annotations

from typing import Any

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now
from conversync.extract.ranges import BUDGET, DAYS, LookbackDays, check_ranges
from conversync.extract.windows import day
from conversync.http.secret import check_secret

from . import pairs as named
from .asking import Access
from .pairs import Pair

DOCUMENTED = "https://oneapi.infobip.com"


@configspec
class InfobipSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    infobip_username: str = None  # type: ignore[assignment] # dlt's way to say that it is required
    infobip_password: TSecretStrValue = None  # type: ignore[assignment] # as above
    infobip_pairs: list[Any] = None  # type: ignore[assignment] # as above
    infobip_url: str = DOCUMENTED
    infobip_lookback_days: LookbackDays = 30
    infobip_start_date: str | None = None
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_ranges(self, {"infobip_lookback_days": DAYS, "http_budget": BUDGET})
        check_secret("infobip_username", self.infobip_username)
        check_secret("infobip_password", str(self.infobip_password))
        if ":" in self.infobip_username:
            raise SettingsError("infobip_username holds a colon, which Basic authorization cannot carry.")
        named.parse(self.infobip_pairs)
        if self.infobip_start_date is not None:
            day(self.infobip_start_date, "infobip_start_date")

    def pairs(self) -> list[Pair]:
        """The pairs to read, each once."""
        return named.parse(self.infobip_pairs)

    def today(self) -> Date:
        """The day it is in UTC, by which the vendor counts."""
        return now().date()

    def access(self) -> Access:
        """Who asks, and where."""
        return Access(self.infobip_url, self.infobip_username, str(self.infobip_password))
