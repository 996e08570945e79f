"""Views in MariaDB's words: DuckDB's SQL with what differs said otherwise. ValueError for what cannot be said exactly.

DuckDB subtracts dates, MariaDB the numbers that they look like: each sum and difference goes by the types of its sides,
and one whose types are not known is refused, as is a function that nobody has looked at. A time has no zone there, and
is in UTC; a zone is a conversion by the server's own tables, which have to be there (see mariadb.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

# Types of columns, by table, as dlt calls them.
Columns = Mapping[str, Mapping[str, str]]
# DuckDB's names for dlt's types.
TYPES = {
    "text": "text",
    "json": "text",
    "bigint": "bigint",
    "double": "double",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
    "decimal": "decimal(18, 6)",
}
# What means the same there, or is said otherwise below.
KNOWN = (
    *(exp.Abs, exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.Coalesce, exp.Nullif, exp.Exists),
    *(exp.Count, exp.Sum, exp.Max, exp.Min, exp.LogicalAnd, exp.Greatest, exp.Least, exp.PercentileDisc),
    *(exp.RowNumber, exp.Lag, exp.CumeDist, exp.Floor, exp.CurrentTimestamp, exp.UnixToTime),
    *(exp.Substring, exp.StrPosition, exp.Lower, exp.Upper, exp.Trim, exp.Concat),
)
_NUMBERS = exp.DataType.NUMERIC_TYPES | {exp.DataType.Type.BOOLEAN}
_INSTANT = {exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMP}
_EPOCH = "CAST('1970-01-01' AS DATETIME(6))"


def said(tree: Any, columns: Columns) -> Any:
    """A query in DuckDB's words, as sqlglot's tree, as one that sqlglot says right in MariaDB's."""
    tree = _typed(tree, columns)
    for node in tree.find_all(exp.Func):
        if not isinstance(node, KNOWN):
            raise ValueError(f"MariaDB has no words for {node.sql('duckdb')}")
    for node in list(tree.find_all(exp.Add, exp.Sub, exp.AtTimeZone)):
        node.meta["types"] = [_type(one) for one in (node.this, node.expression) if one is not None]
    # What is within comes first: it is put into what is said of that around it.
    for node in reversed(list(tree.walk())):
        say = next((say for kind, say in _SAID.items() if isinstance(node, kind)), None)
        if say is not None:
            node.replace(say(node))
    return tree


def _typed(tree: Any, columns: Columns) -> Any:
    """The same query, in which each column has its table, and each expression its type."""
    from sqlglot.optimizer.annotate_types import annotate_types
    from sqlglot.optimizer.qualify import qualify

    kinds: Any = {
        table: {name: TYPES[kind] for name, kind in told.items()} for table, told in columns.items()
    }
    named: list[Any] = list(tree.find_all(exp.Anonymous))
    for node in named:
        if node.name.lower() == "now":
            node.replace(exp.Cast(this=exp.CurrentTimestamp(), to=exp.DataType.build("timestamptz")))
    tree = qualify(tree, schema=kinds, dialect="duckdb", infer_schema=False)
    return annotate_types(tree, schema=kinds, dialect="duckdb")


def _type(node: Any) -> Any:
    return node.type.this if node.type is not None else exp.DataType.Type.UNKNOWN


def _sum(node: Any) -> Any:
    left, right = node.meta["types"]
    if left in _NUMBERS and right in _NUMBERS:
        return node
    if left in _INSTANT and isinstance(node.expression, exp.Interval):
        interval: Any = node.expression
        unit = exp.var(interval.unit.name.upper().removesuffix("S"))
        count = exp.Literal.number(interval.this.name)
        return type(node)(this=node.this, expression=exp.Interval(this=count, unit=unit))
    if left is exp.DataType.Type.DATE and right is exp.DataType.Type.DATE and isinstance(node, exp.Sub):
        return exp.Anonymous(this="DATEDIFF", expressions=[node.this, node.expression])
    if left is exp.DataType.Type.DATE and right in _NUMBERS:
        days = exp.Interval(this=exp.paren(node.expression), unit=exp.var("DAY"))
        return type(node)(this=node.this, expression=days)
    raise ValueError(f"{node.sql('duckdb')} adds {left} and {right}")


def _in_zone(node: Any) -> Any:
    kind, *_ = node.meta["types"]
    if kind is not exp.DataType.Type.TIMESTAMPTZ:
        raise ValueError(f"{node.sql('duckdb')} is no instant in a zone")
    utc = exp.Literal.string("+00:00")
    return exp.Anonymous(this="CONVERT_TZ", expressions=[node.this, utc, node.args["zone"]])


def _of_those_there(node: Any) -> Any:
    """The least or greatest of those that are not null; MariaDB's is null as soon as one is."""
    each = [node.this, *node.expressions]
    whole = [
        exp.func("COALESCE", one.copy(), *(other.copy() for other in each if other is not one))
        for one in each
    ]
    return exp.Anonymous(this="LEAST" if isinstance(node, exp.Least) else "GREATEST", expressions=whole)


def _cast(node: Any) -> Any:
    if node.to.this not in _INSTANT:
        return node
    return exp.Cast(this=node.this, to=exp.DataType.build("DATETIME(6)", dialect="mysql"))


def _percentile(node: Any) -> Any:
    """The first value, in order, up to which there is such a share of all."""
    select = node.find_ancestor(exp.Select)
    from_ = select.args.get("from_") or select.args.get("from")
    if any(select.args.get(part) for part in ("joins", "where", "group")):
        raise ValueError(f"{node.sql('duckdb')} is of a part of its rows")
    value = node.expression.expressions[0].this
    ranked = exp.select(
        exp.alias_(value.copy(), "value"),
        f"CUME_DIST() OVER (ORDER BY {value.sql()}) AS share",
    ).from_(from_.this.copy())
    ranked = ranked.where(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
    found = exp.select("MIN(s.value)").from_(ranked.subquery("s")).where(f"s.share >= {node.this.this.sql()}")
    return found.subquery()


_SAID: dict[Any, Callable[[Any], Any]] = {
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.AtTimeZone: _in_zone,
    exp.Least: _of_those_there,
    exp.Greatest: _of_those_there,
    exp.Cast: _cast,
    exp.WithinGroup: _percentile,
    exp.LogicalAnd: lambda node: exp.Min(this=node.this),
    exp.DPipe: lambda node: exp.Anonymous(this="CONCAT", expressions=[node.this, node.expression]),
    exp.CurrentTimestamp: lambda _: exp.Anonymous(this="UTC_TIMESTAMP", expressions=[exp.Literal.number(6)]),
    exp.UnixToTime: lambda node: exp.Add(
        this=exp.maybe_parse(_EPOCH, dialect="mysql"),
        expression=exp.Interval(this=exp.paren(node.this), unit=exp.var("SECOND")),
    ),
}
