"""What dlt's `sqlalchemy` lets others say of a database."""

from dlt.destinations.impl.sqlalchemy.dialect import MysqlDialectCapabilities as MysqlDialectCapabilities
from dlt.destinations.impl.sqlalchemy.dialect import (
    register_dialect_capabilities as register_dialect_capabilities,
)
from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper as MysqlVariantTypeMapper
