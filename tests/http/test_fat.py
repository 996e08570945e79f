"""L04: rows as long as may be, or longer, from every vendor and in any number: a run stays below 512 MB."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pytest

from conversync.sandbox import Sandbox, World
from tests.http.fat import HELD, KINDS, fattened, many_pages
from tests.http.hostile import FULL
from tests.http.inflating import inflating
from tests.http.server import Server, reply
from tests.http.test_hostile import MOST_MEGABYTES, VENDORS, loaded, ran

pytestmark = pytest.mark.long

# Of an answer, just below what each takes.
SIZES = {"conductrics": 7_500_000, "infobip": 8_300_000}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_l04_long_fat_rows_of_every_vendor(tmp_path: Path, vendor: str, kind: str) -> None:
    """In every answer with a list, as many as it takes."""
    size = SIZES.get(vendor, FULL)
    with (
        Sandbox(World(start=date(2024, 12, 1), days=8)) as sandbox,
        inflating(sandbox.url, size, packed=False, grown=partial(fattened, kind=kind)) as vendors,
    ):
        settings = {**sandbox.settings(), f"{vendor.upper()}_URL": vendors.url}
        code, megabytes = loaded(tmp_path, vendor, settings, 120)
    assert code in (0, 3, 6)
    assert max(vendors.sizes) > 0.9 * size
    assert megabytes < MOST_MEGABYTES


@pytest.mark.parametrize(("field", "piece"), [("memo", "x"), ("note", "\u0436")], ids=["unknown", "text"])
def test_l04_long_many_pages_of_rows_as_long_as_may_be(tmp_path: Path, field: str, piece: str) -> None:
    """Eight in each of two windows: what one window left in memory is not there for the next. All of them load."""
    with many_pages(8, field, piece * (HELD // len(piece.encode()))) as url:
        settings = {"BESITOS_URL": url, "BESITOS_TOKEN": "s3cret-t0ken"}
        code, megabytes = loaded(tmp_path, "besitos", settings, 300)
    assert code == 0
    assert megabytes < MOST_MEGABYTES
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        [[rows]] = connection.execute("select count(*) from besitos.conversion_events").fetchall()
    assert rows > 40_000


@pytest.mark.parametrize("status", [200, 400])
def test_l04_long_a_send_that_is_answered_at_length(tmp_path: Path, status: int) -> None:
    """Optibase, which only takes: answers at the cap, a success and a refusal."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            "create table out as select 'k' || range as send_key, 'u' as tested_user_external_id, "
            "'c' as conversion_id from range(5)"
        )
    body = json.dumps({"message": "\U0001f600" + "x" * FULL, "errors": {"f": ["y"] * 1_000}}).encode()
    with Server(reply(body, status)) as server:
        settings = {"OPTIBASE_URL": f"{server.origin}/x", "OPTIBASE_PUBLIC_API_KEY": "canary-key-1"}
        code, megabytes = ran(tmp_path, ["send", "optibase.conversions", "--from", "main.out"], settings, 120)
        assert server.asked
    assert code in (0, 1, 3, 6)
    assert megabytes < MOST_MEGABYTES
