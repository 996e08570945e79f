"""The setting `proxy`: where the way to the vendors leads through."""

from __future__ import annotations

from pipelines import settings
from wire.errors import SettingsError
from wire.proxy import VARIABLE, use


def settle() -> None:
    """Hands it to the client: CONVERSYNC_PROXY, else secrets.toml or, where it holds no password, config.toml."""
    import dlt

    address = dlt.secrets.get("proxy", str)
    if address is None and (address := settings.preference("proxy")) is not None and "@" in address:
        raise SettingsError(
            "proxy holds a user name or a password, for which .dlt/config.toml is no place: "
            f"write it into .dlt/secrets.toml, or set {VARIABLE}."
        )
    use(address)
