"""dlt's client and jobs of DuckDB."""

from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials as DuckDbCredentials
from dlt.destinations.impl.duckdb.duck import DuckDbClient as DuckDbClient
from dlt.destinations.job_client_impl import SqlLoadJob as SqlLoadJob
from dlt.destinations.job_impl import FinalizedLoadJobWithFollowupJobs as FinalizedLoadJobWithFollowupJobs
