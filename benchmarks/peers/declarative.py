"""Contestant: PyAirbyte with a declarative source, into its DuckDB cache.

Usage: `python benchmarks/peers/declarative.py FEED_URL TOKEN DATABASE FROM TO`, by the interpreter of its environment.
The manifest is what the connector builder writes: an address, a token, pages by number, the schema in line. Money is
DECIMAL(38, 9) in the cache; it keeps the last state alone, and times as the vendor's text here.
"""

import os
import sys
from pathlib import Path
from typing import Any

TEXT = ("user_id", "offer_id", "offer_name", "goal_id", "note", "date_time")
MONEY = ("payout", "reward", "reward_local_currency")
KEY = ("transaction_id", "reverse")


def manifest(url: str, first_day: str, last_day: str) -> dict[str, Any]:
    """The source, as its YAML would say it."""
    types = dict.fromkeys(KEY, "integer") | dict.fromkeys(TEXT, "string") | dict.fromkeys(MONEY, "number")
    schema = {
        "type": "object",
        "properties": {
            name: {"type": kind if name in KEY else ["null", kind]} for name, kind in types.items()
        },
    }
    pages = {
        "type": "PageIncrement",
        "start_from_page": 1,
        "page_size": 1000,
        "inject_on_first_request": True,
    }
    stream = {
        "type": "DeclarativeStream",
        "name": "conversions",
        "primary_key": list(KEY),
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
        # An original is told from its reversal by reverse=0, for the key.
        "transformations": [
            {
                "type": "AddFields",
                "fields": [
                    {
                        "type": "AddedFieldDefinition",
                        "path": ["reverse"],
                        "value": "{{ record.get('reverse', 0) }}",
                        "value_type": "integer",
                    }
                ],
            }
        ],
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": url,
                "path": "/data/partner/conversions",
                "http_method": "GET",
                "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"},
                "request_parameters": {"from_date": first_day, "to_date": last_day},
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
            "paginator": {
                "type": "DefaultPaginator",
                "pagination_strategy": pages,
                "page_token_option": {
                    "type": "RequestOption",
                    "inject_into": "request_parameter",
                    "field_name": "page",
                },
                "page_size_option": {
                    "type": "RequestOption",
                    "inject_into": "request_parameter",
                    "field_name": "per_page",
                },
            },
        },
    }
    secret = {"type": "string", "airbyte_secret": True}
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["conversions"]},
        "streams": [stream],
        "spec": {
            "type": "Spec",
            "connection_specification": {
                "type": "object",
                "required": ["token"],
                "properties": {"token": secret},
            },
        },
    }


def main() -> None:
    """One load into the cache, by the key."""
    url, token, database, first_day, last_day = sys.argv[1:]
    # Nobody is told, and no list of connectors is fetched.
    os.environ |= {"DO_NOT_TRACK": "1", "AIRBYTE_OFFLINE_MODE": "1"}
    import airbyte  # type: ignore[import-not-found] # of another environment

    source = airbyte.get_source(
        "source-besitos", config={"token": token}, source_manifest=manifest(url, first_day, last_day)
    )
    source.select_all_streams()
    cache = airbyte.caches.DuckDBCache(
        db_path=database, schema_name="besitos", cache_dir=Path(database).parent / "cache"
    )
    source.read(cache=cache, write_strategy="merge")


if __name__ == "__main__":
    main()
