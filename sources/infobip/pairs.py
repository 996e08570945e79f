"""The pairs of tags whose conversion is measured: the setting `infobip_pairs`.

The vendor lists neither processes nor tags, so their keys come from a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

import pyarrow as pa

from conversync.errors import SettingsError

from .tables import PROCESSES, TAGS


class Pair(NamedTuple):
    """A process, and two of its tags as the vendor takes them; '' where a tag is left to the vendor."""

    process_key: str
    start_tag: str = ""
    end_tag: str = ""

    def __str__(self) -> str:
        tags = f" from {self.start_tag or '(any)'} to {self.end_tag or '(any)'}"
        return self.process_key + (tags if self.start_tag or self.end_tag else "")

    @property
    def cursor(self) -> str:
        """Where the state keeps the days that were read of this pair."""
        return json.dumps(list(self))

    @property
    def tags(self) -> dict[str, str]:
        """The query's tags: those that are set."""
        named = {"start-tag": self.start_tag, "end-tag": self.end_tag}
        return {name: tag for name, tag in named.items() if tag}

    def path(self, statistic: str) -> str:
        """The address of one statistic of the process."""
        return f"/1/conversion-rate/process/{quote(self.process_key, safe='')}/statistics/{statistic}"


def parse(tables: Iterable[object]) -> list[Pair]:
    """The pairs of the setting, each once; SettingsError, naming the setting, for what is none."""
    pairs = [_pair(table) for table in tables]
    if not pairs:
        raise SettingsError(
            "infobip_pairs is empty: name at least one process_key, and the tags from which to which it is measured."
        )
    return list(dict.fromkeys(pairs))


def _pair(table: object) -> Pair:
    if not isinstance(table, dict):
        raise SettingsError(
            "infobip_pairs must be a list of tables, each with process_key, start_tag, end_tag."
        )
    if unknown := sorted(set(table) - set(Pair._fields)):
        raise SettingsError(
            f"infobip_pairs has a table with {unknown[0]}, but takes process_key, start_tag and end_tag only."
        )
    texts = {name: value for name, value in table.items() if value is not None}
    if not all(isinstance(value, str) and value.isprintable() for value in texts.values()):
        raise SettingsError("infobip_pairs holds a key or tag that is not plain text: put it in quotes.")
    if texts.get("process_key", "").strip() in ("", ".", ".."):
        raise SettingsError("infobip_pairs has a table without a process_key, which every pair needs.")
    return Pair(**texts)


def processes(pairs: Iterable[Pair]) -> pa.Table:
    """The processes that the pairs name, as `PROCESSES`."""
    keys = dict.fromkeys(pair.process_key for pair in pairs)
    return pa.Table.from_pylist([{"key": key} for key in keys], schema=PROCESSES.schema)


def tags(pairs: Iterable[Pair]) -> pa.Table:
    """The tags that the pairs name, as `TAGS`."""
    keys = dict.fromkeys((pair.process_key, tag) for pair in pairs for tag in pair[1:] if tag)
    rows = [{"process_key": process, "key": tag} for process, tag in keys]
    return pa.Table.from_pylist(rows, schema=TAGS.schema)
