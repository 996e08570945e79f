{#-
  One table of all accounts of a vendor, with exactly the columns, and the types, that its entry in
  models/staging/<vendor>.yml declares; `account` says whose row it is. Of what was sent (`vendor` is "sent") `of` names the
  vendor; each of its accounts has a table of its own there, `keitaro_eu_conversions` beside `keitaro_conversions`.

  A table that is not there (its listing is not configured) is an empty one; a column that is not there is null. With
  `whole_loads_only`, rows count only if their load is told of in `_dlt_loads` with status 0: dlt commits table by
  table, so a killed run may leave rows of a load that never was.
-#}
{% macro staged(vendor, table, whole_loads_only=false, of=none) %}
{%- set first = source('conversync__' ~ vendor, table) -%}
{%- set declared = graph.sources['source.conversync.conversync__' ~ vendor ~ '.' ~ table].columns.values() if execute -%}
{%- set accounts = conversync.accounts_of(of or vendor) -%}
{%- if execute -%}
{%- set held = {} -%}
{%- for account, dataset in accounts.items() -%}
{%- set place = (var(vendor ~ '_dataset'), dataset ~ table[of | length:]) if of else (dataset, table) -%}
{%- set found = load_relation(first) if loop.first else adapter.get_relation(database=target.database, schema=place[0], identifier=place[1]) -%}
{%- do held.update({account: found}) if found -%}
{%- endfor -%}
{%- for account, relation in held.items() %}
{{- 'union all' if not loop.first }}
{%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | list %}
select
    {%- for column in declared %}
    cast({{ "'" ~ account ~ "'" if column.name == 'account' else column.name if column.name in present else 'null' }} as {{ column.data_type }}) as {{ column.name }}
    {{- ',' if not loop.last }}
    {%- endfor %}
from {{ relation.include(database=false) }}
{%- if whole_loads_only %}
where _dlt_load_id in (select load_id from {{ relation.incorporate(path={'identifier': '_dlt_loads'}).include(database=false) }} where status = 0)
{%- endif %}
{% else %}
select
    {%- for column in declared %}
    cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
where false
{%- endfor -%}
{%- endif -%}
{% endmacro %}
