"""What a tracker's statuses mean: the one place that says which of them take the money back.

A status may be a word of the network's own, in any letters. Newer trackers tell beside it the type that they count it
as; that comes first. A status that neither of them explains is of no kind: it counts, and it is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from conversync.types import State

# By the tracker's word, what it counts as.
KINDS = {
    "lead": "lead",
    "registration": "lead",
    "sale": "sale",
    "deposit": "sale",
    "rebill": "rebill",
    "rejected": "rejected",
    "trash": "rejected",
}
REJECTED = "rejected"
# Of a strange status, in a sentence; and how many of them are ever told.
MOST_CHARACTERS = 40
MOST_TOLD = 100


def kind_of(conversion_type: str | None, status: str | None) -> str | None:
    """`lead`, `sale`, `rebill` or `rejected`; None where neither word is known."""
    return _kind(conversion_type) or _kind(status)


def unknown(pairs: Iterable[tuple[str | None, str | None]]) -> set[str]:
    """Of (conversion_type, status) pairs, the statuses of no kind; of one that is empty, the type."""
    words = (status or type_ or "" for type_, status in pairs if not kind_of(type_, status))
    plain = ("".join(c if c.isprintable() else " " for c in word).strip()[:MOST_CHARACTERS] for word in words)
    return {word for word in plain if word}


def told_once(state: State, strange: Iterable[str]) -> str | None:
    """The sentence about statuses of no kind, without those that were told before, which `state` remembers."""
    known = state.get("unknown_statuses", [])
    news = sorted(set(strange) - set(known))[: MOST_TOLD - len(known)]
    state["unknown_statuses"] = [*known, *news]
    if not news:
        return None
    return (
        f"we do not know what the tracker's statuses {', '.join(news)} mean, so their revenue counts as earned: "
        "see the conversions whose kind is null"
    )


def _kind(word: str | None) -> str | None:
    return KINDS.get((word or "").strip().lower())


def sql(conversion_type: str = "conversion_type", status: str = "status") -> str:
    """`kind_of` as an SQL expression over two columns, in every dialect."""
    return f"coalesce({_sql(conversion_type)}, {_sql(status)})"


def _sql(column: str) -> str:
    cases = [f"when '{word}' then '{kind}'" for word, kind in KINDS.items()]
    return f"case lower(trim({column})) {' '.join(cases)} end"
