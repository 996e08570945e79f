"""The Conversion Data API as its document describes it: fields, pages, and what one row states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from urllib.parse import SplitResult, parse_qs, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from conversync.errors import InvalidResponseError
from conversync.extract.columns import UTC_MICROSECONDS, casefold, digest
from conversync.extract.declared import PAGE
from conversync.extract.page_decoder import PageDecoder, fields_of
from conversync.extract.pagination import Page, count
from conversync.extract.persons import RAW, Ids
from conversync.extract.times import moments
from conversync.http.client import Response
from conversync.http.redact import quoted
from conversync.http.strictjson import loads
from conversync.types import Row

from .tables import CONVERSION_EVENTS, IN_DOCUMENT

PATH = "/data/partner/conversions"
# The address in the document, which a server behind another one may write into its page links.
DOCUMENTED = "https://wall.besitos.ai"

FIELDS = fields_of(CONVERSION_EVENTS.named(*IN_DOCUMENT))
STATEMENTS = CONVERSION_EVENTS.schema
# What a statement says: every documented field. The key stands for its two parts, user_key for user_id since ids
# ignore case, the instant for its text; fields that the document does not know never make a new statement.
_NOT_STATED = {"transaction_id", "is_reversal", "user_id", "date_time", "occurred_on", "extra"}
_NOT_STATED |= {"statement_hash", "valid_from", "valid_to", "currency", PAGE.name}
STATED = [name for name in STATEMENTS.names if name not in _NOT_STATED]


def decoder(ids: Ids = RAW) -> PageDecoder:
    """Decodes the document's page: rows under `data`, beside them `links` and `meta`."""
    return PageDecoder(
        FIELDS,
        rows="data",
        beside=("links", "meta"),
        check=_original_has_payout,
        check_table=_originals_have_payout,
        ids=ids,
    )


def _original_has_payout(values: Row) -> None:
    # The document promises a reversal no more than its two rewards.
    if values["payout"] is None and not values["reverse"]:
        raise ValueError("payout is missing")


def _originals_have_payout(table: pa.Table) -> bool:
    without = pc.and_(pc.is_null(table["payout"]), pc.invert(table["reverse"]))
    return pc.any(without).as_py() is not True


def statements(rows: pa.Table, zone: tzinfo) -> pa.Table:
    """Decoded rows as `STATEMENTS`: a conversion and each of its reversals are events of one transaction."""
    occurred_at, local = moments(rows["date_time"], zone)
    columns = {name: rows[name] for name in rows.column_names}
    of_instants = _keys_of_instants(rows["transaction_id"].cast(pa.string()), rows["reverse"], local)
    columns |= {
        "event_key": _event_keys(of_instants, rows["reverse"], rows["reward"]),
        "currency": _currency(rows["currency"], rows["extra"]),
        "is_reversal": rows["reverse"],
        "user_key": casefold(rows["user_id"]),
        "occurred_at": occurred_at,
        "occurred_on": local.cast(pa.date32()),
    }
    columns["valid_from"] = columns["valid_to"] = pa.nulls(rows.num_rows, UTC_MICROSECONDS)
    columns[PAGE.name] = pa.nulls(rows.num_rows, PAGE.type)
    columns["statement_hash"] = _hashes(columns, of_instants)
    return pa.table([columns[name] for name in STATEMENTS.names], schema=STATEMENTS)


def hashes(held: pa.Table) -> pa.ChunkedArray:
    """The statement_hash of rows of the table: what it is of a row that comes and says the same."""
    keys = pc.replace_substring_regex(held["event_key"], r"^(\d+:reversal:.{19}):.*$", r"\1")
    return _hashes({name: held[name] for name in held.column_names}, keys)


def _hashes(columns: Mapping[str, pa.ChunkedArray], of_instants: pa.Array) -> pa.ChunkedArray:
    # The reward counts as a field of its own: so the hash is that of versions whose keys had no reward.
    said = {name: columns[name] for name in STATED} | {"event_key": of_instants}
    stated = pa.table({**said, "currency": _foreign(columns["currency"])})
    return digest(stated, STATED, optional=["currency"])


def _event_keys(of_instants: pa.Array, reverse: pa.ChunkedArray, reward: pa.ChunkedArray) -> pa.Array:
    """`2601266:original`; `2601266:reversal:2024-12-08 10:00:00:4.000000`, with the reward that was taken back.

    A sale may be taken back in instalments, which differ in their time or, where all have the original's, in their
    reward. Its sign says nothing: one that is told with the other sign is the same event.
    """
    reverse = reverse.combine_chunks()
    if not pc.any(reverse).as_py():
        return of_instants
    rewards = pc.abs(reward.filter(reverse)).cast(pa.string())
    of_reversals = pc.binary_join_element_wise(of_instants.filter(reverse), rewards, ":")
    return pc.replace_with_mask(of_instants, reverse, of_reversals.combine_chunks())


def _keys_of_instants(
    transactions: pa.ChunkedArray, reverse: pa.ChunkedArray, local: pa.ChunkedArray
) -> pa.Array:
    """`2601266:original`; `2601266:reversal:2024-12-08 10:00:00`, by the vendor's clock."""
    reverse = reverse.combine_chunks()
    keys = pc.binary_join_element_wise(transactions, "original", ":").combine_chunks()
    if not pc.any(reverse).as_py():
        return keys
    times = pc.strftime(
        pc.floor_temporal(local.filter(reverse), unit="second").cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S"
    )
    of_reversals = pc.binary_join_element_wise(transactions.filter(reverse), "reversal", times, ":")
    return pc.replace_with_mask(keys, reverse, of_reversals.combine_chunks())


def _currency(told: pa.ChunkedArray, extra: pa.ChunkedArray) -> pa.ChunkedArray:
    """As it is told, in capitals, under whatever name speaks of a currency; null where it is not."""
    if pc.any(pc.match_substring(extra, "currency", ignore_case=True)).as_py():
        told = pa.chunked_array(
            [
                [
                    one or _named_otherwise(more)
                    for one, more in zip(told.to_pylist(), extra.to_pylist(), strict=True)
                ]
            ],
            pa.string(),
        )
    plain = pc.utf8_upper(pc.utf8_trim_whitespace(told))
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _named_otherwise(extra: str | None) -> str | None:
    """The first text of a row's unknown fields whose name holds "currency", such as currency_code."""
    fields = loads(extra.encode()) if extra else {}
    texts = (
        value for name, value in fields.items() if "currency" in name.casefold() and isinstance(value, str)
    )
    return next((text for text in texts if text.strip()), None)


def _foreign(currency: pa.ChunkedArray) -> pa.ChunkedArray:
    """The currency where it is another than USD, which goes without saying."""
    return pc.if_else(pc.equal(currency, "USD"), pa.scalar(None, pa.string()), currency)


class Totals:
    """Whether this feed says how many rows there are, as far as its pages showed.

    A feed that never does is read all the same (see `belief`). Where others have a total, a page without one
    is none of the listing; and where none was seen yet, neither is one without a row: `{"data": []}` is anything.
    """

    def __init__(self, *, silent: bool) -> None:
        self.told = False
        self.silent = silent

    def judge(self, page: Page) -> Page:
        """The page; InvalidResponseError where it would have to have a total, or a row."""
        if page.total is not None:
            self.told = True
        elif self.told or not (page.decoded.received or self.silent):
            raise InvalidResponseError(
                "Besitos answered without meta.total, so how many rows there are is not known: is besitos_url right?"
            )
        else:
            self.silent = True
        return page


def page(answer: Response, asked: int, decoder: PageDecoder, origins: Sequence[str]) -> Page:
    """The answer to page `asked`; raises InvalidResponseError where it is not that page of the listing.

    Whether one without `meta.total` is a page at all is `Totals`' matter. Links and meta are evidence only: how many
    rows there are, and whether a page follows. A link is never requested, and one that leads to none of `origins`, or
    back, tells of no page: the count shows whether all came.
    """
    answer.refuse_html()
    decoded = decoder.decode(answer.body)
    meta, links = decoded.envelope.get("meta"), decoded.envelope.get("links")
    meta = meta if isinstance(meta, dict) else {}
    total = count(meta.get("total"))
    current = meta.get("current_page")
    if current is not None and count(current) != asked:
        raise InvalidResponseError(f"Besitos answered with another page than the one asked for ({asked}).")
    last = count(meta.get("last_page"))
    following = links.get("next") if isinstance(links, dict) else None
    doubt = _doubt(following, asked, origins) if following else None
    more = bool(following and not doubt) or (last is not None and last > asked)
    if total is None:
        # Nothing else tells where the listing ends: it is read until a page is empty.
        more = decoded.received > 0
    return Page(decoded, total, more, size=count(meta.get("per_page")), doubt=doubt)


def _doubt(link: object, asked: int, origins: Sequence[str]) -> str | None:
    """What is wrong with a next link; None for one that leads on, within the vendor's own addresses."""
    try:
        parts = urlsplit(str(link))
        number = count(parse_qs(parts.query).get("page", [""])[0])
        is_ours = _is_ours(str(link), parts, origins)
    except ValueError:
        return "they are no addresses"
    if not is_ours:
        return f"they lead to another host ({quoted(parts.hostname or 'none', 100)})"
    return "they lead back" if number is not None and number <= asked else None


def _is_ours(link: str, parts: SplitResult, origins: Sequence[str]) -> bool:
    """Whether a link stays at the vendor's own addresses; ValueError for one that is no address."""
    place = _place(link)
    if not parts.scheme and not parts.netloc and link[:1] in {"/", "?"}:
        return True
    return parts.username is None and place in {_place(origin) for origin in origins}


def _place(url: str) -> tuple[str, int | None]:
    """Host and port of an address. The scheme does not count: behind a proxy, links are often written as http."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return "", None
    host = (parts.hostname or "").rstrip(".")
    loopback = host == "localhost" or host.startswith("127.") or host == "::1"
    return "loopback" if loopback else host, None if parts.port in {80, 443} else parts.port
