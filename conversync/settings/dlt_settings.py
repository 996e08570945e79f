"""Settings that a person made for other pipelines, and that must not reach ours.

dlt takes any of its own settings from the environment and from files, also in forms that hold for every pipeline
(`DEV_MODE`, `REFRESH`). Some would load into other tables, drop tables, or forget what was read. What tables or
safety depend on is therefore answered here, whatever is set; all else (credentials, workers, sizes) is as set.
"""

from __future__ import annotations

from typing import Any

from conversync.settings import accounts
from conversync.settings.accounts import Asked

# What dlt is told when it asks for one of these, in whatever section ...
FIXED: dict[str, object] = {
    "add_dlt_id": False,
    "add_dlt_load_id": True,
    "auto_abort_on_terminal_error": False,
    "dataset_name_layout": "%s",
    "delete_completed_jobs": True,
    "dev_mode": False,
    "enable_dataset_name_normalization": True,
    "intercept_signals": False,
    "raise_on_failed_jobs": True,
    "restore_from_destination": True,
    "staging_dataset_name_layout": "%s_staging",
    "truncate_staging_dataset": True,
    "use_single_dataset": True,
}
# ... and what it finds set nowhere.
UNSET = frozenset(
    {
        "allow_identifier_change_on_table_with_data",
        "create_indexes",
        "dataset_name",
        "export_schema_path",
        "full_refresh",
        "import_schema_path",
        "json_normalizer",
        "loader_file_format",
        "naming",
        "pipeline_name",
        "pipeline_salt",
        "pipelines_dir",
        "refresh",
        "replace_strategy",
        "schema_contract",
        "sentry_dsn",
        "slack_incoming_hook",
        "use_break_path_on_normalize",
    }
)


def pin_dlt_settings() -> None:
    """Puts these answers, and an account's, before every provider of settings that dlt asks; once is enough."""
    from conversync.dlt_internals import Container, PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        if not isinstance(vars(provider).get("get_value"), _Answers):
            vars(provider)["get_value"] = _Answers(provider.get_value)


def _originals() -> list[Asked]:
    """What the providers would say by themselves."""
    from conversync.dlt_internals import Container, PluggableRunContext

    own = (vars(one).get("get_value") for one in Container()[PluggableRunContext].providers.providers)
    return [one.original for one in own if isinstance(one, _Answers)]


class _Answers:
    """Stands for a provider's `get_value`."""

    def __init__(self, original: Asked) -> None:
        self.original = original

    def __call__(self, key: str, hint: Any, pipeline_name: str | None, *sections: str) -> tuple[Any, str]:
        if key in FIXED:
            return FIXED[key], key
        if key in UNSET:
            return None, key
        if (found := accounts.answered(self.original, _originals(), key, hint, sections)) is not None:
            return found
        value, name = self.original(key, hint, pipeline_name, *sections)
        return value, name
