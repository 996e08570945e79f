"""The settings of a vendor by declaration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any, ClassVar

from dlt.common.configuration.specs import BaseConfiguration, configspec

from conversync.dlt_internals import is_secret_hint
from conversync.extract.columns import now
from conversync.extract.columns import zone as zone_of
from conversync.extract.ranges import BUDGET, DAYS, check_ranges
from conversync.extract.windows import (
    day,
    first_day,
)
from conversync.http.client import Client, Limits
from conversync.http.secret import check_secret

# Between these a setting can be meant, by what its name ends with.
LIMITS = {"lookback_days": DAYS, "range_days": DAYS, "page_size": (1, 100_000), "concurrency": (1, 64)}
# What every vendor of this kind declares, with its defaults.
NEEDED = (*LIMITS, "url", "zone", "start_date")


@configspec
class FeedSettings(BaseConfiguration):
    """The settings that every vendor of this kind has, beside its own; each begins with the vendor's name.

    `<vendor>_url`, `_zone` (its days), `_lookback_days`, `_start_date`, `_page_size`, `_range_days` (days a question),
    `_concurrency`: a vendor declares them with its defaults. What cannot be meant is a SettingsError.
    """

    vendor: ClassVar[str] = ""
    title: ClassVar[str] = ""
    http_budget: int = 600

    def of(self, name: str) -> Any:
        """`of("zone")` is the setting `<vendor>_zone`."""
        return self[f"{self.vendor}_{name}"]

    @property
    def lookback(self) -> str:
        """The setting that says how many days before its cursor a stream is read again."""
        return f"{self.vendor}_lookback_days"

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the credentials among it; `feed_vendor` takes no settings without their own."""
        return {}

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        limits = {f"{self.vendor}_{name}": most for name, most in LIMITS.items()}
        check_ranges(self, {**limits, "http_budget": BUDGET})
        for name in self.secrets:
            check_secret(name, self[name])
        self.client().close()  # refuses an address or a credential that no request can carry
        zone_of(self.of("zone"), f"{self.vendor}_zone")
        if self.of("start_date") is not None:
            day(self.of("start_date"), f"{self.vendor}_start_date")

    @property
    def secrets(self) -> list[str]:
        """The names of those that nobody may see."""
        return [name for name, hint in self.get_resolvable_fields().items() if is_secret_hint(hint)]

    @property
    def zone(self) -> tzinfo:
        """The zone of the vendor's days."""
        return zone_of(self.of("zone"), f"{self.vendor}_zone")

    def today(self) -> date:
        """The day it is for the vendor."""
        return now().astimezone(self.zone).date()

    def first(self) -> date:
        """The day with which a first run begins."""
        return first_day(self.of("start_date"), self.today(), f"{self.vendor}_start_date")

    def client(self) -> Client:
        """The connection to the vendor."""
        where = " or ".join(
            f"{name} in .dlt/secrets.toml, {name.upper()} in the environment" for name in self.secrets
        )
        return Client(
            self.of("url"),
            vendor=self.title,
            headers={"Accept": "application/json", **self.headers()},
            credentials_hint=f"Check {where}.",
            limits=Limits(http_budget=self.http_budget),
        )
