"""All of dlt that is no public name of its own, and that its next release may move: nobody else imports it from there.

Beside it, what needs a database's own client: `dlt_internals.duckdb`, `dlt_internals.ducklake`,
`dlt_internals.postgres`.
"""

import dlt.destinations  # noqa: F401 - makes them known by their names
from dlt.common import validation as validation
from dlt.common.configuration import inject_section as inject_section
from dlt.common.configuration.container import Container as Container
from dlt.common.configuration.exceptions import ConfigFieldMissingException as ConfigFieldMissingException
from dlt.common.configuration.exceptions import ConfigurationException as ConfigurationException
from dlt.common.configuration.exceptions import (
    ConfigValueCannotBeCoercedException as ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.exceptions import ValueNotSecretException as ValueNotSecretException
from dlt.common.configuration.providers import ConfigTomlProvider as ConfigTomlProvider
from dlt.common.configuration.providers import EnvironProvider as EnvironProvider
from dlt.common.configuration.providers import SecretsTomlProvider as SecretsTomlProvider
from dlt.common.configuration.providers import environ as environ
from dlt.common.configuration.providers.toml import SettingsTomlProvider as SettingsTomlProvider
from dlt.common.configuration.resolve import resolve_configuration as resolve_configuration
from dlt.common.configuration.specs import known_sections as known_sections
from dlt.common.configuration.specs.base_configuration import BaseConfiguration as BaseConfiguration
from dlt.common.configuration.specs.base_configuration import extract_inner_hint as extract_inner_hint
from dlt.common.configuration.specs.base_configuration import is_secret_hint as is_secret_hint
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext as ConfigSectionContext
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext as PluggableRunContext
from dlt.common.configuration.utils import deserialize_value as deserialize_value
from dlt.common.destination import Destination as Destination
from dlt.common.destination.exceptions import DestinationUndefinedEntity as DestinationUndefinedEntity
from dlt.common.destination.exceptions import UnknownDestinationModule as UnknownDestinationModule
from dlt.common.destination.reference import DestinationReference as DestinationReference
from dlt.common.exceptions import MissingDependencyException as MissingDependencyException
from dlt.common.pipeline import PipelineContext as PipelineContext
from dlt.common.pipeline import current_pipeline as current_pipeline
from dlt.common.runtime import anon_tracker as anon_tracker
from dlt.common.runtime.run_context import RunContext as RunContext
from dlt.common.schema import Schema as Schema
from dlt.common.schema.utils import get_columns_names_with_prop as get_columns_names_with_prop
from dlt.common.schema.utils import get_validity_column_names as get_validity_column_names
from dlt.common.storages.exceptions import (
    CurrentLoadPackageStateNotAvailable as CurrentLoadPackageStateNotAvailable,
)
from dlt.common.storages.live_schema_storage import LiveSchemaStorage as LiveSchemaStorage
from dlt.common.time import increasing_precise_time as increasing_precise_time
from dlt.common.typing import is_optional_type as is_optional_type
from dlt.common.versioned_state import decompress_state as decompress_state
from dlt.destinations.exceptions import DatabaseException as DatabaseException
from dlt.destinations.exceptions import DatabaseTerminalException as DatabaseTerminalException
from dlt.destinations.exceptions import DatabaseUndefinedRelation as DatabaseUndefinedRelation
from dlt.destinations.exceptions import DestinationConnectionError as DestinationConnectionError
from dlt.destinations.sql_jobs import SqlMergeFollowupJob as SqlMergeFollowupJob
from dlt.extract.items_transform import ItemTransform as ItemTransform
