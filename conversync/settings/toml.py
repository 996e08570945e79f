"""Settings as TOML text: what dlt's files hold, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping

from conversync.types import Row


def toml(values: Row) -> str:
    """A line for each setting, without those that are None: text, numbers, yes or no, and lists and tables of them."""
    return "".join(f"{name} = {toml_value(value)}\n" for name, value in values.items() if value is not None)


def toml_value(value: object) -> str:
    """One value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_value(name)} = {toml_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    # JSON's text is TOML's basic string, but for one control character that TOML wants escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
