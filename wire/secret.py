"""Secrets as a person set them: neither missing, nor what an example file holds in their place."""

from __future__ import annotations

import re

from wire.errors import SettingsError
from wire.redact import remember

_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|\{.*\}|\$\{?\w+\}?|x{3,}|\*{3,}|\.{3,}"
    r"|(change|configure|replace|fill)[ _-]?(me|it|this|in)|your[ _-].*|todo|tbd|placeholder|secret|token",
    re.IGNORECASE | re.DOTALL,
)


def check_secret(name: str, value: str) -> None:
    """SettingsError, naming the setting and never its value, unless this may be a secret."""
    place = f"write {name} into .dlt/secrets.toml, or set {name.upper()} in the environment"
    if not value.strip():
        raise SettingsError(f"{name} is empty: {place}.")
    if _PLACEHOLDER.fullmatch(value.strip()):
        raise SettingsError(f"{name} still holds a placeholder: {place}.")
    remember(value)
