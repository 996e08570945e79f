"""What the settings of all targets have in common."""

from __future__ import annotations

from conversync.errors import SettingsError
from conversync.http.secret import check_secret
from conversync.settings import accounts
from conversync.settings.lookup import where

# The longest that a person may let a vendor keep us waiting, in seconds.
_LONGEST = 86_400


def required(name: str, value: object) -> str:
    """The setting; SettingsError where there is none."""
    if value is None:
        raise SettingsError(f"{name} is not set: {where(name, accounts.at_work())}.")
    return str(value)


def key(name: str, value: object) -> str:
    """A key that goes into a path or a body; SettingsError, never with its value, for what cannot be one."""
    found = required(name, value)
    check_secret(name, found)
    if found != found.strip() or not found.isprintable() or " " in found:
        raise SettingsError(f"{name} holds a blank, a line break or another character that no key has.")
    return found


def check_budget(seconds: int) -> None:
    """SettingsError for an `http_budget` that cannot be meant."""
    if not 0 <= seconds <= _LONGEST:
        raise SettingsError(f"http_budget is {seconds}, but must be at least 0 and at most {_LONGEST}.")
