{#-
  One source table with exactly the columns, and the types, that its entry in models/staging/<vendor>.yml declares.

  A table that is not there (its listing is not configured) is an empty one; a column that is not there is null. With
  `whole_loads_only`, rows count only if their load is told of in `_dlt_loads` with status 0: dlt commits table by
  table, so a killed run may leave rows of a load that never was.
-#}
{% macro staged(vendor, table, whole_loads_only=false) %}
{%- set relation = source('conversync__' ~ vendor, table) -%}
{%- set loads = source('conversync__' ~ vendor, '_dlt_loads') -%}
{%- if execute -%}
{%- set declared = graph.sources['source.conversync.conversync__' ~ vendor ~ '.' ~ table].columns.values() -%}
{%- set held = load_relation(relation) -%}
{%- set present = adapter.get_columns_in_relation(held) | map(attribute='name') | list if held else [] -%}
select
    {%- for column in declared %}
    cast({{ column.name if column.name in present else 'null' }} as {{ column.data_type }}) as {{ column.name }}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- if not held %}
where false
{%- else %}
from {{ relation }}
{%- if whole_loads_only %}
where _dlt_load_id in (select load_id from {{ loads }} where status = 0)
{%- endif %}
{%- endif %}
{%- endif -%}
{% endmacro %}
