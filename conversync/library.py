"""For scripts of their own around our sources: what `conversync load` makes beside the tables."""

from __future__ import annotations

from conversync.errors import SettingsError
from conversync.types import Pipeline

# dlt's setting by which Arrow's rows are told the load that wrote them.
TOLD = "normalize.parquet_normalizer.add_dlt_load_id"


def make_views(pipeline: Pipeline, vendor: str) -> list[str]:
    """Makes a vendor's views and functions (`conversions`, `days`, `conversions_as_of` ...) in a pipeline's dataset.

    Those of tables that nothing was loaded into yet are left out. Returns the names of those that stand, sorted. What
    counts is what the settings say now (`besitos_withdrawn_counts` ...): call it after each run. Raises SettingsError
    for a vendor that is not known, or whose settings are missing, and where the tables do not name their loads.
    """
    from conversync.extract.declared import LOAD_ID
    from conversync.extract.evidence import WINDOWS
    from conversync.settings import lookup
    from conversync.settings.accounts import chosen
    from conversync.warehouse.functions import Wanted

    [source] = chosen([vendor])
    if not pipeline.default_schema_name:
        raise SettingsError(f"Nothing was loaded by the pipeline {pipeline.pipeline_name} yet: run it first.")
    columns = pipeline.default_schema.tables.get(WINDOWS.name, {}).get("columns")
    if columns and LOAD_ID.name not in columns:
        raise SettingsError(
            f"The tables do not say which load wrote a row, which the views ask for: set {TOLD} = true before the "
            "first run."
        )
    wanted = Wanted.of(source, lookup.resolve(source.settings, source.label))
    names = {*wanted.views, *wanted.functions}
    wanted.make(pipeline)
    return sorted(names - wanted.views.keys() - wanted.functions.keys())
