"""The settings of Besitos."""

from __future__ import annotations

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now, zone
from conversync.extract.persons import MODES, Ids
from conversync.extract.ranges import BUDGET, DAYS, LookbackDays, check_ranges
from conversync.extract.windows import day
from conversync.http.client import Client, Limits
from conversync.http.secret import check_secret
from conversync.settings import privacy

from . import feed

# Between these a setting can be meant.
LIMITS = {
    "besitos_lookback_days": DAYS,
    "besitos_reversal_lookback_days": DAYS,
    "besitos_page_size": (1, 100_000),
    "besitos_range_days": DAYS,
    "besitos_concurrency": (1, 64),
    "http_budget": BUDGET,
}


@configspec
class BesitosSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    besitos_token: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    besitos_url: str = feed.DOCUMENTED
    besitos_zone: str = "EST"
    besitos_lookback_days: LookbackDays = 7
    besitos_reversal_lookback_days: LookbackDays = 180
    besitos_start_date: str | None = None
    besitos_page_size: int = 1000
    besitos_range_days: int = 31
    besitos_concurrency: int = 8
    besitos_partner_id: str | None = None
    besitos_reversal_takes_payout: bool = False
    besitos_withdrawn_counts: bool = True
    besitos_user_id_mode: str = "raw"
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_ranges(self, LIMITS)
        check_secret("besitos_token", self.besitos_token)
        self.client().close()  # refuses an address or a token that no request can carry
        zone(self.besitos_zone, "besitos_zone")
        if self.besitos_start_date is not None:
            day(self.besitos_start_date, "besitos_start_date")
        self.ids()

    def ids(self) -> Ids:
        """What is kept of players' ids; SettingsError for a mode that there is not, or that lacks its key."""
        mode = next((one for one in MODES if one == self.besitos_user_id_mode), None)
        if mode is None:
            raise SettingsError(
                f'besitos_user_id_mode is "{self.besitos_user_id_mode}", but must be {", ".join(MODES)}.'
            )
        return Ids(mode, privacy.needed("besitos_user_id_mode is hmac") if mode == "hmac" else b"")

    def today(self) -> Date:
        """The day it is for the vendor."""
        return now().in_timezone(zone(self.besitos_zone, "besitos_zone")).date()

    def client(self) -> Client:
        """The connection to the vendor, with the token in its header and nowhere else."""
        return Client(
            self.besitos_url,
            vendor="Besitos",
            # The vendor's server wants the capital B.
            headers={"Authorization": f"Bearer {self.besitos_token}", "Accept": "application/json"},
            credentials_hint="Check besitos_token in .dlt/secrets.toml or BESITOS_TOKEN.",
            limits=Limits(http_budget=self.http_budget),
        )
