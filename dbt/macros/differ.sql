{#-
  Whether two queries of the same columns and types may give other rows than each other, as SQL: what is to be compared row
  by row is compared only where this says so. DuckDB is asked how many rows either gives and for the sum of their hashes,
  which a row more, less or other changes, and which takes no memory, unlike a join of all of them. PostgreSQL compares.
-#}
{% macro may_differ(first, second, columns) -%}
{%- if target.type == 'duckdb' -%}
(
    select count(distinct told) > 1
    from (
        {%- for query in [first, second] %}
        select row(count(*), sum(hash({{ columns | join(', ') }}))) as told
        from ({{ query }}) as rows_of_one
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as of_both
)
{%- else -%}
true
{%- endif -%}
{%- endmacro %}
