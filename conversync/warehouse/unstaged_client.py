"""dlt's DuckDB client without staging tables (see unstaged.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conversync.dlt_internals.duckdb import DuckDbClient, FinalizedLoadJobWithFollowupJobs, SqlLoadJob
from conversync.extract.declared import VARIES
from conversync.warehouse.merging import run_each
from conversync.warehouse.unstaged import WRITTEN_AS, rows_of

# Columns whose texts hardly ever repeat: an event's key, the hash of what is stated, and what is declared as such.
_VARIED = ("merge_key", "x-row-version", VARIES)


class Lines(SqlLoadJob):
    """Statements of a line each: a path within may hold a semicolon. Those of a merge as `merging.run_each` has it."""

    def run(self) -> None:
        """All of them in one transaction."""
        self._sql_client = self._job_client.sql_client
        sql = Path(self._file_path).read_text(encoding="utf-8")
        lines = [line.strip().rstrip(";") for line in sql.split("\n") if line.strip()]
        with self.maybe_transaction(sql):
            run_each(lines, self._sql_client.execute_sql)


class FilesAsTheyLie(DuckDbClient):
    """Merges what lies in the files of a load package."""

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        """Never for what is merged from parquet; what a resource wants in another form goes dlt's own way."""
        is_staged = super().should_load_data_to_staging_dataset(table_name)
        return is_staged and not self._is_merged_from_files(table_name)

    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:
        """There is nothing to do for a file until all of its table are there."""
        if SqlLoadJob.is_sql_job(file_path):
            return Lines(file_path)
        if self._is_merged_from_files(table["name"]):
            if not file_path.endswith(f".{WRITTEN_AS}"):
                raise ValueError(
                    f"{table['name']} came as {Path(file_path).name}: its resource has to name that file_format"
                )
            return FinalizedLoadJobWithFollowupJobs.from_file_path(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def create_table_chain_completed_followup_jobs(
        self, table_chain: Sequence[Any], completed_table_chain_jobs: Sequence[Any] | None = None
    ) -> list[Any]:
        """dlt's own merge, which reads the files."""
        jobs = super().create_table_chain_completed_followup_jobs(table_chain, completed_table_chain_jobs)
        if self._is_merged_from_files(table_chain[0]["name"]):
            for path in (Path(job.new_file_path()) for job in jobs):
                text = path.read_text(encoding="utf-8")
                path.write_text(
                    self._read_from(text, table_chain, completed_table_chain_jobs or ()), encoding="utf-8"
                )
        return jobs

    def _get_column_hints_sql(self, c: Any) -> str:
        """Texts that hardly ever repeat are kept as DuckDB would choose after a look at them that costs more."""
        hints = super()._get_column_hints_sql(c)
        is_varied = c.get("data_type") == "text" and any(c.get(hint) for hint in _VARIED)
        return f"{hints} USING COMPRESSION fsst" if is_varied else hints

    def _is_merged_from_files(self, table_name: str) -> bool:
        """By the form that its resource asks for; nested tables come as their root does."""
        table = self.prepare_load_table(table_name)
        is_parquet = table.get("file_format") in (None, "preferred", WRITTEN_AS)
        return table["write_disposition"] == "merge" and is_parquet

    def _read_from(self, text: str, table_chain: Sequence[Any], jobs: Sequence[Any]) -> str:
        """The statements with files where they named staging tables."""
        for table in table_chain:
            place, staged = self.sql_client.get_qualified_table_names(table["name"])
            files = [job.file_path for job in jobs if job.job_file_info.table_name == table["name"]]
            text = text.replace(staged, rows_of(place, files))
        return text
