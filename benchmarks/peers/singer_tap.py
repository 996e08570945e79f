"""A tap for the Besitos feed, written with the Singer SDK as its documentation has it: settings, a stream, pages.

Runs in the environment of `singer.txt`. Settings come from TAP_BESITOS_* with `--config=ENV`.
"""

import sys
from typing import Any

from singer_sdk import RESTStream, Tap  # type: ignore[import-not-found] # of another environment
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator  # type: ignore[import-not-found] # as above
from singer_sdk.pagination import BasePageNumberPaginator  # type: ignore[import-not-found] # as above

TEXT = ("user_id", "offer_id", "offer_name", "goal_id", "note", "date_time")
MONEY = ("payout", "reward", "reward_local_currency")
# The target makes BIGINT of an integer that has an end, else HUGEINT.
WHOLE = th.IntegerType(maximum=9_223_372_036_854_775_807)


class Pages(BasePageNumberPaginator):  # type: ignore[misc] # of another environment
    """Until the last page that the feed tells of."""

    def has_more(self, response: Any) -> bool:
        """Whether there is another one."""
        return bool(self.current_value < response.json()["meta"]["last_page"])


class Conversions(RESTStream[int]):  # type: ignore[misc] # of another environment
    """The listing, with originals and reversals."""

    name = "conversions"
    path = "/data/partner/conversions"
    records_jsonpath = "$.data[*]"
    primary_keys = ("transaction_id", "reverse")
    schema = th.PropertiesList(
        *(th.Property(name, WHOLE, required=True) for name in ("transaction_id", "reverse")),
        *(th.Property(name, th.StringType) for name in TEXT),
        *(th.Property(name, th.NumberType) for name in MONEY),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """The feed's address."""
        return str(self.config["url"])

    @property
    def authenticator(self) -> Any:
        """Its token."""
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self) -> Any:
        """From page 1 on."""
        return Pages(1)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:
        """The period, a thousand rows a page."""
        del context
        period = {"from_date": self.config["first_day"], "to_date": self.config["last_day"]}
        return {**period, "per_page": 1000, "page": next_page_token or 1}

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """An original is told from its reversal by reverse=0, for the key."""
        del context
        row.setdefault("reverse", 0)
        return row


class BesitosTap(Tap):  # type: ignore[misc] # of another environment
    """The tap."""

    name = "tap-besitos"
    config_jsonschema = th.PropertiesList(
        *(
            th.Property(name, th.StringType, required=True)
            for name in ("url", "token", "first_day", "last_day")
        )
    ).to_dict()

    def discover_streams(self) -> list[Any]:
        """The only one."""
        return [Conversions(self)]


if __name__ == "__main__":
    sys.argv[0] = BesitosTap.name
    BesitosTap.cli()
