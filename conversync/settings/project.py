"""Where dlt finds its settings: in the project's two files as we read them, and in the environment; and nowhere else.

By itself it would look, as it finds them, into a folder of the home directory, of /var or of the temporary files, into
a workspace's profiles, into Colab and Streamlit. Whoever can write there would decide what we do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conversync.dlt_internals import (
    ConfigTomlProvider,
    Container,
    EnvironProvider,
    PluggableRunContext,
    RunContext,
    SecretsTomlProvider,
    SettingsTomlProvider,
    anon_tracker,
)
from conversync.settings.lookup import project_dir
from conversync.settings.providers import document_of


def _read(_provider: SettingsTomlProvider, toml_path: str) -> Any:
    """With or without a byte order mark."""
    return document_of(Path(toml_path))


def _nothing(_provider: SettingsTomlProvider, name: str, file_name: str) -> Any:  # noqa: ARG001 - dlt's names
    """What stands in the file's place, where there is none."""
    return None


class _Secrets(SecretsTomlProvider):
    """secrets.toml"""

    _read_toml_file = _read
    _read_google_colab_secrets = _read_streamlit_secrets = _nothing


class _Config(ConfigTomlProvider):
    """config.toml"""

    _read_toml_file = _read
    _read_google_colab_secrets = _read_streamlit_secrets = _nothing


class Environment(RunContext):
    """A project whose files are not read, for they are about to be written."""

    @property
    def settings_dir(self) -> str:
        """The project's `.dlt`, whatever DLT_CONFIG_FOLDER says."""
        return str(project_dir() / ".dlt")

    @property
    def global_dir(self) -> str:
        """The same: there is no other."""
        return self.settings_dir

    def initial_providers(self) -> list[Any]:
        """The environment."""
        return [EnvironProvider()]


class Project(Environment):
    """A project with its files."""

    def initial_providers(self) -> list[Any]:
        """The environment, before the files."""
        return [EnvironProvider(), _Secrets(self.settings_dir), _Config(self.settings_dir)]


def use(context: type[Environment]) -> None:
    """dlt takes its settings from there, from now on.

    It is given no place either for a name of this user, which it would keep for what it may not tell its makers.
    """
    vars(anon_tracker)["get_anonymous_id"] = lambda: "nobody"
    Container()[PluggableRunContext] = PluggableRunContext(context(None))
