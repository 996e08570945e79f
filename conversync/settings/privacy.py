"""The key under which ids of persons become fingerprints: a secret, which must not change."""

from __future__ import annotations

import os

from conversync.errors import SettingsError
from conversync.http.secret import check_secret

NAME, VARIABLE = "privacy_key", "CONVERSYNC_PRIVACY_KEY"
# Fewer characters can be tried one after the other.
SHORTEST = 16


def key() -> bytes:
    """As it is set, in the environment or secrets.toml; empty where it is not. SettingsError where it is no secret."""
    import dlt

    text = os.environ.get(VARIABLE) or dlt.secrets.get(NAME, str)
    if text is None:
        if dlt.config.get(NAME, str) is not None:
            raise SettingsError(f"{NAME} is a secret: move it from .dlt/config.toml to .dlt/secrets.toml.")
        return b""
    check_secret(NAME, text)
    if len(text) < SHORTEST:
        raise SettingsError(
            f"{NAME} has {len(text)} characters, but needs {SHORTEST} at least: openssl rand -hex 32 makes one."
        )
    return text.encode()


def needed(why: str) -> bytes:
    """The same; SettingsError, saying what it is for, where it is not set."""
    if not (found := key()):
        raise SettingsError(
            f"{why}, and that needs a secret key: put {NAME} into .dlt/secrets.toml, or set {VARIABLE} (openssl rand "
            "-hex 32 makes one), and keep it; with another one nobody is known again."
        )
    return found
