"""The settings of reading Conductrics."""

from __future__ import annotations

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now
from conversync.extract.ranges import BUDGET, check_ranges
from conversync.http.secret import check_secret

from .asking import Access

DOCUMENTED = "https://api-v3.conductrics.com"


@configspec
class ConductricsSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    conductrics_api_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    conductrics_account: str = None  # type: ignore[assignment] # as above
    conductrics_url: str = DOCUMENTED
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_secret("conductrics_api_key", str(self.conductrics_api_key))
        check_ranges(self, {"http_budget": BUDGET})
        if self.conductrics_account.strip() in ("", ".", ".."):
            raise SettingsError("conductrics_account is empty: it stands under Developers > API Info & Keys.")

    def today(self) -> Date:
        """The day of a reading, in UTC."""
        return now().date()

    def access(self) -> Access:
        """Who asks, and where."""
        return Access(self.conductrics_url, self.conductrics_account, str(self.conductrics_api_key))
