"""What loosely typed values are, by name: rows, documents, and what dlt and DuckDB hand out.

For annotations alone, wherever something is one of them: nothing is imported for it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

Row = Mapping[str, Any]
"""A row by the names of its columns, with the values as a database or a vendor has them: to be looked at."""
Document = dict[str, Any]
"""A row that is made here, or an object of JSON or TOML: what a vendor sent, what is told, what dlt notes."""
State = MutableMapping[str, Any]
"""What dlt keeps of a source from run to run."""
Restored = Mapping[str, Any]
"""The same, to be looked at."""
Values = tuple[Any, ...]
"""A row without its names."""

if TYPE_CHECKING:
    import dlt
    from dlt.common.configuration.specs import BaseConfiguration
    from dlt.common.destination import Destination as AnyDestination
    from dlt.destinations.job_client_impl import SqlJobClientBase
    from dlt.destinations.sql_client import SqlClientBase
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection
    Destination = AnyDestination[Any, Any]
    JobClient = SqlJobClientBase
    Pipeline = dlt.Pipeline
    Settings = BaseConfiguration
    SqlClient = SqlClientBase[Any]
else:
    Connection = Destination = JobClient = Pipeline = Settings = SqlClient = object
