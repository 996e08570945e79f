"""What a program that we start may know of our environment: the one place that says so.

dbt and git are ours: they get what a system's program needs, and nothing else; dbt that builds on a server, its
password, under a name whose value dbt shows nowhere. The program of `alert_command` is the
user's, who may have set variables for it: it gets everything but what is ours, or dlt's, to read secrets from, what
is called a password or a credential, and whatever holds a secret that we know under another name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

from conversync.http.redact import SHORTEST_KNOWN, redact
from conversync.vendors import known

# What a system's program needs.
SYSTEM = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT")
# What dlt reads credentials from without a section before it; with one, it writes two underscores between.
_BARE = frozenset(
    {
        *("TOKEN", "ACCESS_TOKEN", "REFRESH_TOKEN", "MOTHERDUCK_TOKEN", "AWS_SESSION_TOKEN", "API_KEY"),
        *("CLIENT_SECRET", "SERVICE_PRINCIPAL_SECRET", "CONNECTION_STRING"),
        *("ALERT_WEBHOOK", "PROXY", "CONVERSYNC_ALERT_WEBHOOK", "CONVERSYNC_PROXY"),
        *("PRIVACY_KEY", "CONVERSYNC_PRIVACY_KEY"),
    }
)
# What opens a destination, wherever it stands in the name: PGPASSWORD, AWS_SECRET_ACCESS_KEY.
_CALLED = re.compile(r"CREDENTIAL|PASSWORD|PASSPHRASE|PRIVATE_KEY|ACCESS_KEY")
_SECRET = re.compile(r"CREDENTIAL|PASSWORD|PASSPHRASE|TOKEN|SECRET|KEY|WEBHOOK|PROXY")
_IN_ADDRESS = re.compile(r"://[^/@\s]*:([^/@\s]+)@")


def bare(*names: str, **ours: str) -> dict[str, str]:
    """For a program of ours: the system's variables, those that are named, and what we set for it."""
    kept = {name: os.environ[name] for name in (*SYSTEM, *names) if name in os.environ}
    return {**kept, **ours}


def users() -> dict[str, str]:
    """For a program of the user's: ours without the vendors' settings, dlt's, and what holds a secret of theirs."""
    hidden = {name: value for name, value in os.environ.items() if _is_ours(name.upper())}
    secrets = [one for name, value in hidden.items() for one in _secrets(name, value)]
    return {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and (name in SYSTEM or redact(value, *secrets) == value)
    }


def _is_ours(name: str) -> bool:
    """Whether a variable of this name is a setting of a vendor, a target or dlt, or is called a password."""
    plain = name.removesuffix("_FILE")
    prefixes = tuple(f"{vendor.upper()}_" for vendor in known())
    return (
        name.startswith(prefixes) or plain in _BARE or bool(_CALLED.search(name)) or "__" in name.strip("_")
    )


def _secrets(name: str, value: str) -> Iterator[str]:
    """What of a hidden variable may stand in no other one."""
    found = [value] if _SECRET.search(name.upper()) else []
    found += [one for match in _IN_ADDRESS.findall(value) for one in (match, unquote(match))]
    yield from (one for one in found if len(one) >= 2 * SHORTEST_KNOWN)
