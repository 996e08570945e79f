"""The setting `proxy`: where the way to the vendors leads through."""

from __future__ import annotations

import os
import re

from conversync.errors import SettingsError
from conversync.http.proxy import FROM_ENVIRONMENT, NONE, VARIABLE, use
from conversync.settings import lookup
from conversync.settings.registry import guess

WORDS = (FROM_ENVIRONMENT, NONE)


def settle() -> None:
    """Hands it to the client: CONVERSYNC_PROXY, else secrets.toml or, where it holds no password, config.toml."""
    import dlt

    address = dlt.secrets.get("proxy", str)
    if address is None and (address := lookup.preference("proxy")) is not None and "@" in address:
        raise SettingsError(
            "proxy holds a user name or a password, for which .dlt/config.toml is no place: "
            f"write it into .dlt/secrets.toml, or set {VARIABLE}."
        )
    for given in (os.environ.get(VARIABLE), address):
        _check_word(given or "")
    use(address)


def _check_word(given: str) -> None:
    """SettingsError for a single word that is none of ours: an address has its http:// or its port, or a point."""
    word = given.strip().lower()
    if word and word not in WORDS and not re.search(r"[.:/\[\]]", word):
        raise SettingsError(
            f'proxy is "{given:.60}", but must be an address such as http://proxy:3128, or {" or ".join(WORDS)}.'
            f"{guess(word, WORDS)}"
        )
