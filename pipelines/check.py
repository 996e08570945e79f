"""`conversync check`: the settings and where each comes from, then a look at every vendor. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines import settings
from pipelines.toml import toml_value
from pipelines.vendors import Vendor
from sources.findings import Finding
from wire.errors import ConversyncError, SettingsError


def origins(vendor: Vendor) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin of every setting; a secret's value is never shown.

    Nothing where they cannot be resolved: what is wrong with them is what `check` finds.
    """
    from dlt.common.configuration.specs.base_configuration import is_secret_hint
    from dlt.common.configuration.utils import get_resolved_traces

    try:
        chosen: Any = settings.resolve(vendor.settings, vendor.name)
    except SettingsError:
        return
    found = {trace.key: trace.provider_name for trace in get_resolved_traces().resolved_traces}
    for name, hint in chosen.get_resolvable_fields().items():
        value = "****" if is_secret_hint(hint) and chosen[name] is not None else shown(chosen[name])
        yield name, value, found.get(name, "default")


def shown(value: Any) -> str:
    """A setting's value as a person would write it into a file."""
    if value is None:
        return "not set"
    if isinstance(value, bool | list | tuple | dict):
        return toml_value(value)
    return str(value)


def check(vendors: Sequence[Vendor]) -> Iterator[tuple[str, Finding, int]]:
    """Dataset, finding, and the exit code that it is worth, one vendor after the other."""
    for vendor in vendors:
        try:
            for finding in vendor.check(settings.resolve(vendor.settings, vendor.name)):
                yield vendor.name, finding, 0 if finding.good else 1
        except ConversyncError as error:
            yield vendor.name, Finding(False, str(error)), error.exit_code
