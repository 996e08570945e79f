"""Conversync: conversion data of marketing vendors in DuckDB, or any other dlt destination, exactly.

    from conversync import besitos      # a vendor's dlt source, by the vendor's name
    from conversync import Vendor, Target, SettingsError

What is listed here is what others may build on; everything else may move. Names are loaded when they are asked for, so
that `import conversync` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conversync.errors import ConversyncError as ConversyncError
    from conversync.errors import CredentialsError as CredentialsError
    from conversync.errors import LockedError as LockedError
    from conversync.errors import SettingsError as SettingsError
    from conversync.errors import VendorError as VendorError
    from conversync.library import make_views as make_views
    from conversync.send.target import Column as Column
    from conversync.send.target import Outcome as Outcome
    from conversync.send.target import Request as Request
    from conversync.send.target import RowRefusedError as RowRefusedError
    from conversync.send.target import Target as Target
    from conversync.vendors import LoadRequest as LoadRequest
    from conversync.vendors import Step as Step
    from conversync.vendors import Vendor as Vendor

_HOMES = {
    "conversync.errors": (
        "ConversyncError",
        "CredentialsError",
        "LockedError",
        "SettingsError",
        "VendorError",
    ),
    "conversync.library": ("make_views",),
    "conversync.send.target": ("Column", "Outcome", "Request", "RowRefusedError", "Target"),
    "conversync.vendors": ("LoadRequest", "Step", "Vendor"),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    """A public name, or a vendor's dlt source; AttributeError for anything else."""
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    # Of a module of ours Python asks here first, too, before it loads it.
    if not name.startswith("_") and find_spec(f"conversync.{name}") is None:
        from conversync.vendors import vendors

        found = vendors().get(name)
        if found is not None and found.source is not None:
            return found.source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
