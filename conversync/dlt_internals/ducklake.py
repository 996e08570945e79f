"""dlt's client of DuckLake."""

from dlt.destinations.impl.duckdb.configuration import DuckDbConnectionPool as DuckDbConnectionPool
from dlt.destinations.impl.ducklake.sql_client import DuckLakeSqlClient as DuckLakeSqlClient
