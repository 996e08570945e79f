"""What was logged beside the vendor's own counts.

It shows no single log, only how many users passed a start tag on a UTC day: so many must have, at least, as we told it
of.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from conversync.errors import SettingsError
from conversync.send.comparison import Ask, Comparison, Difference, Reconciliation
from conversync.send.records import Record

from .targets import Logs


def _compare(ask: Ask, sent: Sequence[Record]) -> Comparison:
    found = Comparison("infobip")
    rates = ask(
        "select process_key, start_tag, answered_start_tag, day, max(start_count) "
        "from infobip.conversion_rates group by 1, 2, 3, 4"
    )
    if rates is None:
        raise SettingsError(
            "Infobip's own counts are not in the warehouse: run `conversync load infobip` first."
        )
    starts = _starts(rates)
    in_doubt = sum(one.status == "in_doubt" for one in sent)
    if in_doubt:
        found.notes.append(f"{in_doubt:,} are in doubt; counts cannot tell whether they are there")
    passed = _passed(sent)
    found.sent = sum(one.status == "sent" for one in sent)
    unproven = 0
    for (process, tag, day), users in sorted(passed.items()):
        count = starts.get((process, tag, day))
        if count is None:
            unproven += len(users)
        elif count < len(users):
            found.differences.append(
                Difference(
                    f"{process} {tag} {day}", "missing there", f"{len(users):,} users", f"{count:,} users"
                )
            )
        else:
            found.agree += len(users)
    if unproven:
        found.notes.append(
            f"{unproven:,} users cannot be proven: the tables count only who passed a start tag of infobip_pairs"
        )
    return found


def _starts(rates: Iterable[Sequence[Any]]) -> dict[tuple[str, str, str], int]:
    """By process, start tag and UTC day, the most users that the vendor counts."""
    starts: dict[tuple[str, str, str], int] = {}
    for process, tag, answered, day, count in rates:
        for name in {tag, answered} - {None, ""}:
            starts[process, name, str(day)] = max(int(count), starts.get((process, name, str(day)), 0))
    return starts


def _passed(sent: Sequence[Record]) -> dict[tuple[str, str, str], set[str]]:
    """By process, tag and UTC day, the users whose log was taken."""
    passed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in sent:
        if one.status == "sent":
            content, answer = json.loads(one.content), json.loads(one.answer)
            process, tag = (str(content.get(name, "")) for name in ("process_key", "process_tag_key"))
            passed[process, tag, one.sent_at[:10]].add(str(answer.get("process_log_key") or one.send_key))
    return passed


RECONCILE = Reconciliation(Logs.name, _compare)
