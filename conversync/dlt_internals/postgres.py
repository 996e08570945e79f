"""dlt's client of PostgreSQL."""

from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient as Psycopg2SqlClient
