"""dbt's sources and staging models, made of what the vendors declare. `make generate` writes them into dbt/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template

from conversync.build import PREFIX, SCHEMAS, project
from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INSTANT,
    LOAD_ID,
    MONEY,
    STRING,
    Column,
    Staged,
    Table,
)
from conversync.extract.evidence import EVIDENCE
from conversync.vendors import known, ours
from conversync.warehouse.comments import SENT
from conversync.warehouse.dlt_tables import LOADS

# What the types are called in every database.
TYPES = {
    STRING: "varchar",
    BIGINT: "bigint",
    DOUBLE: "double precision",
    BOOLEAN: "boolean",
    DATE: "date",
    INSTANT: "timestamp with time zone",
    MONEY: "numeric(18, 6)",
}
_SOURCE = Template("""\
# $title: what the loader writes, and staging, which is the same with declared types (macros/staged.sql).
# Made of $home by `make generate`: change it there.
version: 2

sources:
  - name: $prefix$name
    schema: "{{ var('${name}_dataset') }}"
    description: $says
    config:
      enabled: "{{ var('${prefix}using_$name') }}"
$fresh    tables:
""")
_FRESH = Template("""\
      # Fresh is what was loaded lately: a quiet day is not stale.
      loaded_at_query: "select max(inserted_at) from {{ this.include(identifier=false) }}._dlt_loads where status = 0"
      freshness:
        warn_after: {count: "{{ var('${prefix}freshness_warn_hours') }}", period: hour}
        error_after: {count: "{{ var('${prefix}freshness_error_hours') }}", period: hour}
""")
_MODEL = Template("""
  - name: ${prefix}_$table
    config: {alias: stg_${name}__$table, enabled: "{{ $using }}"}
    description: $says
    columns: *$columns
""")
# What staging adds to each table: of which of the vendor's accounts a row is.
ACCOUNT = Column(
    "account",
    STRING,
    "Whose row it is, as staging adds it: the vendor's, or the dataset of a further account.",
)
_UNIQUE = Template("""\
    data_tests:
      - is_key: {arguments: {column_name: $unique, vendor: $name}}
""")


@dataclass(frozen=True)
class Source:
    """A dataset of which the dbt project has a source. `uses` are the vendors that a model needs, too, by table."""

    name: str
    title: str
    home: str
    says: str
    tables: Sequence[Table]
    uses: Mapping[str, str] | None = None
    """Of the ledgers: by table, the vendor that it is about. They are nobody's nightly feed."""

    def files(self) -> Iterator[tuple[str, str]]:
        """The names of its files in models/staging, with their texts."""
        yield f"{self.name}.yml", "".join(self._yml())
        for table in self.tables:
            if table.staged is not None:
                more = ", whole_loads_only=true" if table.staged.whole_loads else ""
                more += f", of='{self.uses[table.name]}'" if self.uses is not None else ""
                call = f"conversync.staged('{self.name}', '{table.name}'{more})"
                yield f"stg_{PREFIX}{self.name}_{table.name}.sql", f"{{{{ {call} }}}}\n"

    def _yml(self) -> Iterator[str]:
        fresh = _FRESH.substitute(prefix=PREFIX) if self.uses is None else ""
        told = {"title": self.title, "home": self.home, "says": _text(self.says), "fresh": fresh}
        yield _SOURCE.substitute(prefix=PREFIX, name=self.name, **told)
        columns: dict[str, str] = {}
        models = ""
        for table in self.tables:
            entries = "".join(f"          - {self._entry(column)}\n" for column in self._columns(table))
            place = f" *{columns[entries]}\n" if entries in columns else f" &{table.name}\n{entries}"
            columns.setdefault(entries, table.name)
            yield f"      - name: {table.name}\n        description: {_text(table.says)}\n        columns:{place}"
            models += self._model(table, table.staged, columns[entries]) if table.staged else ""
        yield f"\nmodels:{models}"

    def _model(self, table: Table, staged: Staged, columns: str) -> str:
        names = [self.name, *([self.uses[table.name]] if self.uses else [])]
        model = _MODEL.substitute(
            prefix=f"stg_{PREFIX}{self.name}",
            name=self.name,
            table=table.name,
            using=" and ".join(f"var('{PREFIX}using_{name}')" for name in names),
            says=_text(staged.says or table.says),
            columns=columns,
        )
        if not staged.unique:
            return model
        return model + _UNIQUE.substitute(name=self.name, unique=staged.unique)

    def _columns(self, table: Table) -> list[Column]:
        """Those that are stored, with the load that wrote the row (of a ledger nobody asks for it), and the account."""
        own = [column for column in table.columns if not column.clears]
        load = [LOAD_ID] if table.kept is not None and self.uses is None else []
        return [*own, *load, *([ACCOUNT] if table.staged is not None else [])]

    def _entry(self, column: Column) -> str:
        kind = "json" if column.is_json and self.uses is not None else TYPES[column.type]
        return f'{{name: {column.name}, data_type: "{kind}", description: {_text(column.says)}}}'


def sources() -> Iterator[Source]:
    """Our vendors' datasets, and that of what was sent."""
    vendors = [known()[name] for name in ours()]
    for vendor in vendors:
        if vendor.tables:
            home = f"sources/{vendor.name}/tables.py"
            tables = (*vendor.tables, *EVIDENCE, LOADS)
            yield Source(vendor.name, vendor.title, home, vendor.says, tables)
    ledgers = {table.name: (vendor.name, table) for vendor in vendors for table in vendor.ledgers}
    yield Source(
        SENT,
        "What was sent, a ledger a target",
        "conversync/send/tables.py and the vendors' tables",
        "The ledgers of what was sent to vendors, a row for each send_key.",
        (*(table for _, table in ledgers.values()), LOADS),
        {name: vendor for name, (vendor, _) in ledgers.items()},
    )


def files() -> dict[str, str]:
    """All that stands in models/staging, by the files' names."""
    return {name: text for source in sources() for name, text in source.files()}


def _text(sentence: str) -> str:
    """As YAML writes it, in quotes."""
    return json.dumps(sentence, ensure_ascii=False)


def main() -> None:
    """Writes what is not as it should be, and removes what nothing declares any more."""
    folder, wanted = project() / "models" / SCHEMAS[0], files()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    main()
