"""The settings of the tracker."""

from __future__ import annotations

import re
from dataclasses import field

from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now, zone
from conversync.extract.ranges import BUDGET, DAYS, LookbackDays, check_ranges
from conversync.extract.windows import day
from conversync.http.client import Client, Limits
from conversync.http.secret import check_secret

from . import report
from .reading import CONVERSIONS, LOOKBACK
from .tracker import Tracker

# Between these a setting can be meant.
LIMITS = {
    LOOKBACK: DAYS,
    "keitaro_page_size": (1, 100_000),
    "keitaro_range_days": DAYS,
    "keitaro_concurrency": (1, 64),
    "http_budget": BUDGET,
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@configspec
class KeitaroSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    keitaro_api_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    keitaro_url: str = None  # type: ignore[assignment] # as above: the tracker's own address
    keitaro_zone: str = "UTC"
    keitaro_lookback_days: LookbackDays = 30
    keitaro_start_date: str | None = None
    keitaro_columns: list[str] | None = None
    keitaro_report_grouping: list[str] = field(default_factory=lambda: list(report.GROUPING))
    keitaro_report_metrics: list[str] = field(default_factory=lambda: list(report.METRICS))
    keitaro_page_size: int = 1000
    keitaro_range_days: int = 31
    keitaro_concurrency: int = 4
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_ranges(self, LIMITS)
        check_secret("keitaro_api_key", str(self.keitaro_api_key))
        self.tracker().close()  # refuses an address or a key that no request can carry
        zone(self.keitaro_zone, "keitaro_zone")
        if self.keitaro_start_date is not None:
            day(self.keitaro_start_date, "keitaro_start_date")
        for name in ("keitaro_report_grouping", "keitaro_report_metrics"):
            for column in self[name]:
                if not isinstance(column, str) or not _NAME.fullmatch(column) or column in report.RESERVED:
                    raise SettingsError(f'{name} holds "{column}", which cannot be a column of report_daily.')

    def today(self, stream: str) -> Date:
        """The day it is, in the zone of the stream's days."""
        here = "UTC" if stream == CONVERSIONS else zone(self.keitaro_zone, "keitaro_zone")
        return now().in_timezone(here).date()

    def tracker(self) -> Tracker:
        """The connection to the tracker, with the key in its header and nowhere else."""
        client = Client(
            self.keitaro_url,
            vendor="Keitaro",
            headers={"Api-Key": str(self.keitaro_api_key), "Accept": "application/json"},
            credentials_hint="Check keitaro_api_key in .dlt/secrets.toml or KEITARO_API_KEY.",
            credential="API key",
            limits=Limits(http_budget=self.http_budget),
        )
        return Tracker(client)

    def report(self) -> report.Report:
        """What the report is asked for."""
        return report.asked_for(self.keitaro_report_grouping, self.keitaro_report_metrics)
