"""However the vendor cuts, counts and links its pages: every row is loaded once, or nothing is, loudly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, Variants, World
from tests.besitos.changes import everything, link, meta, on_a_day
from tests.besitos.conftest import ROWS, MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row, text
from tests.support import Workspace, at_once, pages, sometimes, tables

ALL = list(range(1, 11))


def loaded(house: Workspace) -> list[int]:
    """The transactions in the table, each once."""
    return [id_ for [id_] in house.query("select transaction_id from besitos.conversion_events order by 1")]


def scans(house: Workspace) -> int:
    """How often the feed was walked in the last reading of everything."""
    [[count]] = house.query(
        "select max(walks) from besitos.windows where stream = 'conversions' "
        "and read_at = (select max(read_at) from besitos.windows where stream = 'conversions')"
    )
    return int(count)


def refused(house: Workspace, sentence: str) -> None:
    """Exit 6 with this in its sentence, nothing loaded; and once the vendor is well again, all of it."""
    report = house.run(FROM, TO)
    assert report.exit_code == 6
    assert sentence in str(report.error)
    nothing = "Nothing of Besitos conversions of 2024-12-01 .. 2024-12-20 is loaded, and the next run"
    assert nothing in str(report.error)
    assert (
        house.query("select table_name from information_schema.tables where table_schema = 'besitos'") == []
    )
    assert [fault.delivered > 0 for fault in house.sandbox.faults] == [True] * len(house.sandbox.faults)
    house.sandbox.faults.clear()
    house.sandbox.besitos.variants = Variants()
    house.load(FROM, TO)
    assert loaded(house) == ALL


@pytest.mark.parametrize(
    ("link_to", "named"),
    sometimes(
        ("http://127.0.0.1:{port}@evil.example{path}?page=2", "evil.example"),
        ("https://evil.example{path}?page=2", "evil.example"),
        ("http://203.0.113.7{path}?page=2", "203.0.113.7"),
        ("//evil.example{path}?page=2", "evil.example"),
        ("file:///etc/passwd?page=2", "none"),
        ("http://user@127.0.0.1:{port}{path}?page=2", "127.0.0.1"),
        quick=1,
    ),
)
def test_p01_a_link_to_another_host_is_never_requested(ten: Workspace, link_to: str, named: str) -> None:
    """It costs no row: pages are asked for by number, and counted. The word names the host alone, and comes once."""
    target = link_to.format(path="/data/partner/conversions", port=ten.sandbox.port)
    fault = ten.sandbox.faults.add(Fault(mutate=link(target)))
    told_once(
        ten, fault, f"next links cannot be right: they lead to another host ({named}). None is followed"
    )


def test_p01_no_byte_goes_to_the_host_of_a_link(ten: Workspace) -> None:
    """A second server listens where the link leads: nobody comes."""
    with Sandbox(World(days=1)) as other:
        target = f"{other.url.replace('127.0.0.1', 'localhost.example')}/data/partner/conversions?page=2"
        for address in (target, f"http://user@127.0.0.1:{other.port}/data/partner/conversions?page=2"):
            ten.sandbox.faults.clear()
            fault = ten.sandbox.faults.add(Fault(mutate=link(address), page=1))
            ten.load(FROM, TO)
            assert fault.delivered
        assert loaded(ten) == ALL
        assert other.requests == []


@pytest.mark.parametrize(("page", "back_to"), sometimes((1, 1), (3, 1), (2, 1), (3, 2), quick=2))
def test_p02_a_link_that_leads_back_is_no_loop(ten: Workspace, page: int, back_to: int) -> None:
    """To the same page, to the one before, or further back: the count shows that all came, and a word tells of it."""
    back = f"{ten.sandbox.url}/data/partner/conversions?page={back_to}"
    fault = ten.sandbox.faults.add(Fault(page=page, mutate=link(back)))
    told_once(ten, fault, "next links cannot be right: they lead back. None is followed")


def test_p02_wrong_links_where_the_count_is_not_met_are_short(ten: Workspace) -> None:
    """A link is no proof of anything: a row that is announced and never comes is told, exit 3, beside the word."""

    def without_the_last(document: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        kept = [one for one in document["data"] if one["transaction_id"] != 10]
        return link("https://evil.example/?page=2")({**document, "data": kept}, query)

    fault = ten.sandbox.faults.add(Fault(mutate=without_the_last))
    report = ten.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code, report.total("missing")) == (None, 3, 1)
    assert loaded(ten) == ALL[:-1]
    assert any("next links cannot be right" in note for note in report.notes)


def told_once(house: Workspace, fault: Fault, word: str) -> None:
    """Every row is loaded, exit 0, with this word on the first night alone, and again after it was right."""
    report = house.load(FROM, TO)
    assert fault.delivered
    assert loaded(house) == ALL
    assert [word in note for note in report.notes] == [True]
    assert not house.load(FROM, TO).notes
    house.sandbox.faults.clear()
    assert not house.load(FROM, TO).notes
    assert house.sandbox.requests


@pytest.mark.parametrize("links", sometimes("sample", "full", quick=1))
def test_p03_links_that_forget_the_filters_do_not_matter(ten: Workspace, links: str) -> None:
    """The document's sample has `?page=2` alone; every request has our own dates all the same."""
    ten.sandbox.besitos.variants = Variants(links=links)  # type: ignore[arg-type] # both are among its values
    ten.sandbox.besitos.rows = [*ROWS, row(99, date_time="2024-11-01 00:00:00")]
    ten.load(FROM, TO)
    assert loaded(ten) == ALL
    assert pages(ten.sandbox.requests) == [1, 2, 3, 4]
    assert {(one.query["from_date"], one.query["to_date"]) for one in ten.sandbox.requests} == {(FROM, TO)}


@pytest.mark.parametrize(
    "last", sometimes(1, 10**9, None, 3, 5, "4", "many", 0, -1, 1.5, Decimal("1e9"), quick=3, ids=str)
)
def test_p04_a_wrong_last_page_loses_nothing(ten: Workspace, last: Any) -> None:
    """The total and the pages themselves tell when all is read; a last page too many costs one request more."""

    def change(document: dict[str, Any], _query: Mapping[str, str]) -> bytes:
        document["meta"]["last_page"] = "@"
        written = "1e9" if isinstance(last, Decimal) else json.dumps(last)
        return json.dumps(document, default=float).replace('"@"', written).encode()

    fault = ten.sandbox.faults.add(Fault(mutate=change, where=everything))
    ten.load(FROM, TO)
    assert (loaded(ten), scans(ten)) == (ALL, 1)
    asked = pages(ten.sandbox.requests)
    assert asked in ([1, 2, 3, 4], [1, 2, 3, 4, 5])
    assert fault.delivered == len(asked)


def test_p04_a_total_below_what_came_is_evidence_of_nothing(ten: Workspace) -> None:
    """Nine are announced, and ten are there: read on to the end, and believed where one page has them."""
    fault = ten.sandbox.faults.add(Fault(mutate=meta(total=9), where=on_a_day))
    ten.load(FROM, TO)
    assert fault.delivered
    assert loaded(ten) == ALL


@pytest.mark.parametrize("total", sometimes(11, 100, quick=1))
def test_p04_a_total_that_is_never_met_is_short(ten: Workspace, total: int) -> None:
    """What came is loaded, told with exit 3, and read again: once it adds up, exit 0."""
    fault = ten.sandbox.faults.add(Fault(mutate=meta(total=total), where=on_a_day))
    report = ten.run(FROM, TO)
    assert fault.delivered
    assert (report.exit_code, report.error, loaded(ten)) == (3, None, ALL)
    assert any(f" {total - 10} row" in note for note in report.notes)
    ten.sandbox.faults.clear()
    ten.load(FROM, TO)
    assert loaded(ten) == ALL


@pytest.mark.parametrize("total", sometimes(None, "many", -1, True, 10.5, quick=1, ids=str))
def test_p04_without_a_total_it_takes_two_readings(ten: Workspace, total: Any) -> None:
    """How much there is must be said, or shown: read to an empty page, twice, in other sizes or in parts."""
    fault = ten.sandbox.faults.add(Fault(mutate=meta(total=total)))
    ten.sandbox.besitos.rows = [*ROWS, row(11, date_time="2024-12-15 00:00:00")]
    ten.load(FROM, TO)
    assert fault.delivered
    assert loaded(ten) == [*ALL, 11]
    assert ten.query("select distinct proof from besitos.windows where stream = 'conversions'") == [
        ("passes",)
    ]


def test_p04_a_total_in_digits_is_a_total(ten: Workspace) -> None:
    """Some paginators write numbers as text."""
    ten.sandbox.faults.add(Fault(mutate=meta(total="10"), where=everything))
    ten.load(FROM, TO)
    assert (loaded(ten), scans(ten)) == (ALL, 1)


@pytest.mark.parametrize("shown", sometimes(1, 3, "1", 10**12, quick=1))
def test_p05_a_page_that_was_not_asked_for_is_had_another_way(ten: Workspace, shown: Any) -> None:
    """The document's sample asks for page 3 and shows page 1: nothing of it counts, and the day comes on one page."""
    fault = ten.sandbox.faults.add(Fault(page=2, mutate=meta(current_page=shown)))
    ten.load(FROM, TO)
    assert fault.delivered
    assert loaded(ten) == ALL


@pytest.mark.parametrize(("cap", "asked"), sometimes((2, [1, 2, 3, 4, 5, 6]), (1, [*ALL, 11]), quick=1))
def test_p06_smaller_pages_than_asked_for_are_all_read(ten: Workspace, cap: int, asked: list[int]) -> None:
    """The server's cap is not published. A last page that is full may have a successor: one question more."""
    ten.sandbox.besitos.variants = Variants(page_cap=cap)
    ten.load(FROM, TO)
    assert (loaded(ten), pages(ten.sandbox.requests), scans(ten)) == (ALL, asked, 1)


def test_p06_larger_pages_than_asked_for_are_read_once(ten: Workspace) -> None:
    """The document's sample asks for 2 and is given 1000."""
    ten.sandbox.besitos.variants = Variants(ignores=frozenset({"per_page"}))
    ten.load(FROM, TO)
    assert (loaded(ten), pages(ten.sandbox.requests), scans(ten)) == (ALL, [1], 1)


def test_pages_are_asked_for_in_order_and_once(ten: Workspace) -> None:
    """One walk of everything, one of reversals; each page once, and not one beyond the last."""
    ten.load(FROM, TO)
    assert pages(ten.sandbox.requests) == [1, 2, 3, 4]
    assert pages(ten.sandbox.requests, "reversals") == [1]


def test_p07_rows_that_arrive_while_pages_are_read_double_nothing(ten: Workspace) -> None:
    """A row at the top shifts a known one to the next page; all eleven are there, each once."""
    ten.sandbox.besitos.variants = Variants(arrivals_every=3)
    ten.sandbox.besitos.arriving = [row(11)]
    ten.load(FROM, TO)
    assert ten.sandbox.besitos.arriving == []
    assert (loaded(ten), scans(ten)) == ([*ALL, 11], 2)


def test_p07_a_world_that_never_stands_still_is_read_in_the_end(make_house: MakeHouse) -> None:
    """The clock moves on between pages, restating and reversing: what was read is folded, the next run is whole."""
    world = World(days=6, conversions_a_day=12)
    world.now = world.day(5)
    house = make_house(world, Variants(order="newest", arrivals_every=4), besitos_page_size="20")
    house.vendor = at_once()
    report = house.run("2025-12-30", "2026-06-30")
    assert report.exit_code in (0, 6)
    house.sandbox.besitos.variants = Variants(order="newest")
    house.load("2025-12-30", "2026-06-30")
    standing = house.sandbox.besitos.oracle.statements()
    assert {key: history[-1] for key, history in house.held().items()} == standing


def test_p08_a_row_that_disappears_while_pages_are_read_hides_no_other(ten: Workspace) -> None:
    """A removal shifts rows to the left, past the reader: short of the total, the feed is walked again, without it."""

    def remove() -> None:
        ten.sandbox.besitos.rows = ROWS[1:]

    fault = ten.sandbox.faults.add(Fault(page=2, times=1, action=remove))
    ten.load(FROM, TO)
    assert fault.delivered == 1
    assert loaded(ten) == ALL[1:], "and what the vendor states no more is not loaded"
    assert scans(ten) == 2


def test_p08_a_removal_and_an_arrival_that_cancel_out_are_noticed(ten: Workspace) -> None:
    """One row went, hiding another; one came, and the count is met again: but two pages told two totals."""
    besitos = ten.sandbox.besitos
    gone = Fault(page=2, times=1, action=lambda: setattr(besitos, "rows", ROWS[1:]))
    came = Fault(page=3, times=1, action=lambda: setattr(besitos, "rows", [*ROWS[1:], row(11)]))
    ten.sandbox.faults.add(gone, came)
    ten.load(FROM, TO)
    assert (gone.delivered, came.delivered) == (1, 1)
    assert (loaded(ten), scans(ten)) == ([*ALL[1:], 11], 2)


def test_p08_a_feed_in_another_order_at_every_request_is_read(ten: Workspace) -> None:
    """No two walks agree, and none is whole: the day is asked for on one page."""
    ten.sandbox.besitos.variants = Variants(order="random")
    ten.sandbox.besitos.rows = [row(number) for number in range(1, 61)]
    ten.load(FROM, TO)
    assert loaded(ten) == list(range(1, 61))


@pytest.mark.parametrize(
    ("repeats", "page_cap"), sometimes(("counted", 3), ("uncounted", 3), ("counted", 1000), quick=2)
)
def test_p09_repeats_are_one_event_and_make_up_for_nothing(
    ten: Workspace, repeats: Any, page_cap: int
) -> None:
    """A feed that repeats rows: each is loaded once. Where its total counts them and no page holds the day: exit 3."""
    ten.sandbox.besitos.variants = Variants(repeats=repeats, page_cap=page_cap)
    report = ten.run(FROM, TO)
    assert (loaded(ten), report.total("rejected")) == (ALL, 0)
    provable = repeats == "uncounted" or page_cap == 1000
    assert (report.exit_code, report.total("missing") > 0) == ((0, False) if provable else (3, True))


def test_p09_repeats_that_come_and_go_never_stop_a_later_night(ten: Workspace) -> None:
    """A feed that repeated rows one night and not the next is loaded on both: the tables keep their form."""
    for variants in (Variants(repeats="counted"), Variants(repeats="none")):
        ten.sandbox.besitos.variants = variants
        ten.load(FROM, TO)
        assert loaded(ten) == ALL


def test_p10_one_event_with_two_contents_is_stated_once(ten: Workspace) -> None:
    """The later (or the greater) is the statement; the other is set aside, counted, and told once."""
    ten.sandbox.besitos.rows = [
        *ROWS,
        row(5, payout=7, date_time="2024-12-05 00:00:00"),
        row(5, payout=8, date_time="2024-12-03 00:00:00"),
    ]
    first = ten.run(FROM, TO)
    assert (first.exit_code, first.total("missing"), loaded(ten)) == (3, 0, ALL)
    assert ten.query("select payout from besitos.conversion_events where transaction_id = 5") == [(7,)]
    aside = ten.query("select reason, raw from besitos.rejected_rows order by raw")
    assert [reason for reason, _ in aside] == [
        "superseded: another row of 5:original came in the same walk, and the later or greater was kept"
    ] * 2
    assert {json.loads(raw)["payout"] for _, raw in aside} == {5.0, 8.0}
    assert ten.query("select sum(superseded), sum(rejected) from besitos.windows") == [(2, 2)]
    before = tables(ten.path)
    assert ten.run(FROM, TO).exit_code == 0
    assert tables(ten.path) == before


def test_p10_which_content_wins_does_not_depend_on_the_order(make_house: MakeHouse) -> None:
    """The same two rows the other way round, on the same or on other pages: the same statement."""
    seen: set[tuple[Any, ...]] = set()
    for number, order in enumerate([slice(None), slice(None, None, -1)]):
        house = make_house(besitos_page_size="3")
        house.vendor = at_once()
        house.folder = house.folder / str(number)
        house.folder.mkdir()
        house.sandbox.besitos.rows = [*ROWS, row(5, payout=7), row(5, payout=8)][order]
        assert house.run(FROM, TO).exit_code == 3
        seen.add(
            *house.query(
                "select payout, statement_hash from besitos.conversion_events where transaction_id = 5"
            )
        )
    assert len(seen) == 1


def test_p11_an_empty_page_in_the_middle_ends_nothing(ten: Workspace) -> None:
    """Page 3 is empty, and what should stand there comes on page 4 and 5."""
    chunks: list[list[dict[str, Any]]] = [ROWS[:3], ROWS[3:6], [], ROWS[6:9], ROWS[9:]]

    def change(document: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        number = int(query["page"])
        document["data"] = chunks[number - 1] if number <= len(chunks) else []
        document["meta"].update(last_page=len(chunks), total=len(ROWS), current_page=number)
        document["links"]["next"] = None
        return document

    fault = ten.sandbox.faults.add(Fault(mutate=change, where=everything))
    ten.load(FROM, TO)
    assert (loaded(ten), scans(ten), pages(ten.sandbox.requests)) == (ALL, 1, [1, 2, 3, 4, 5])
    assert fault.delivered == 5


def test_p11_a_first_page_that_is_empty_for_no_reason_is_refused(ten: Workspace) -> None:
    """A total of ten and no row: not an empty feed."""
    ten.sandbox.faults.add(Fault(page=1, mutate=lambda document, _: {**document, "data": []}))
    refused(ten, "the first page is empty, yet it announces 10 rows")


def test_an_empty_feed_is_an_empty_table(ten: Workspace) -> None:
    """No row and a total of 0: the tables and the view are there, and the window counts as read."""
    ten.sandbox.besitos.rows = []
    ten.load(FROM, TO)
    assert ten.query("select count(*) from besitos.conversions") == [(0,)]
    assert ten.query("select announced, received from besitos.windows") == [(0, 0), (0, 0)]
    ten.sandbox.besitos.rows = ROWS
    ten.load(FROM, TO)
    assert loaded(ten) == ALL


@pytest.mark.parametrize("total", [10, 12], ids=["total met", "total not met"])
def test_p12_a_server_that_repeats_its_last_page_is_noticed(ten: Workspace, total: int) -> None:
    """Beyond the end come the last page's rows for ever: they are not read for ever, nor loaded twice."""
    ten.sandbox.besitos.variants = Variants(past_end="last")
    fault = ten.sandbox.faults.add(Fault(mutate=meta(total=total), where=on_a_day))
    report = ten.run(FROM, TO)
    assert fault.delivered
    assert loaded(ten) == ALL
    assert (report.exit_code, report.total("missing")) == ((0, 0) if total == 10 else (3, 2))
    if total == 10:
        assert pages(ten.sandbox.requests) == [1, 2, 3, 4]


@pytest.mark.parametrize("order", sometimes("shuffled", "newest", quick=1))
def test_p13_the_order_of_the_rows_does_not_matter(ten: Workspace, order: Any) -> None:
    """Sorted otherwise, or in another order at every request: the same table."""
    ten.sandbox.besitos.variants = Variants(order=order)
    ten.load(FROM, TO)
    assert (loaded(ten), scans(ten)) == (ALL, 1)


def test_all_rows_of_a_reversals_walk_are_what_they_say(ten: Workspace) -> None:
    """The flag of the row decides: a server that answers is_reverse=true with everything doubles nothing."""
    ten.sandbox.besitos.variants = Variants(true="ignored")
    ten.sandbox.besitos.rows = [*ROWS, reversal(3), text(4, reverse='"0"')]
    ten.run(FROM, TO)
    assert loaded(ten) == sorted([*ALL, 3])
    assert ten.query("select count(*) from besitos.conversions where is_reversed") == [(1,)]
