{#-
  The datasets of a vendor's accounts, by what the models call them: the first one's is the vendor itself, whatever its
  dataset is called (`<vendor>_dataset`), and any other is called as its dataset (`conversync__accounts`).
-#}
{% macro accounts_of(vendor) %}
{%- set found = {vendor: var(vendor ~ '_dataset')} -%}
{%- for dataset in var('conversync__accounts').get(vendor, []) -%}
{%- do found.update({dataset: dataset}) -%}
{%- endfor -%}
{%- do return(found) -%}
{% endmacro %}

{#- The account of a row of staging; where the vendor has one, its name. -#}
{% macro account(vendor, relation) -%}
    {{ relation ~ '.account' if conversync.accounts_of(vendor) | length > 1 else "'" ~ vendor ~ "'" }}
{%- endmacro %}

{#- What a join of a vendor's rows asks besides their ids, which two accounts may both have. -#}
{% macro and_same_account(vendor, first, second) -%}
    {{ 'and ' ~ first ~ '.account = ' ~ second ~ '.account' if conversync.accounts_of(vendor) | length > 1 }}
{%- endmacro %}

{#- The zone of a row's days, as SQL: the vendor's, or its account's own (`conversync__zones`). -#}
{% macro zone_of(vendor, relation) -%}
{%- set own = [] -%}
{%- for account in conversync.accounts_of(vendor) if var('conversync__zones').get(account, var(vendor ~ '_zone')) != var(vendor ~ '_zone') -%}
{%- do own.append("when '" ~ account ~ "' then '" ~ var('conversync__zones')[account] ~ "'") -%}
{%- endfor -%}
{{ 'case ' ~ relation ~ '.account ' ~ own | join(' ') ~ " else '" ~ var(vendor ~ '_zone') ~ "' end" if own else "'" ~ var(vendor ~ '_zone') ~ "'" }}
{%- endmacro %}

{#-
  What tells rows apart: never null, and no two rows have one, or, of a `vendor`, no two rows of one of its accounts, since
  two accounts may have one id. A failing row is a key, and how many rows have it. Of a table DuckDB counts hashes, in
  half the memory and time of texts, and looks at the keys of those that come twice; a view would be worked out twice.
-#}
{% test is_key(model, column_name, vendor=none) %}
{%- set columns = ((['account'] if vendor and conversync.accounts_of(vendor) | length > 1 else []) + [column_name]) | join(', ') -%}
{%- set held = load_relation(model) if execute and target.type == 'duckdb' -%}
select {{ columns }}, count(*) as times
from {{ model }}
{%- if held and held.is_table %}
where
    {{ column_name }} is null
    or hash({{ columns }}) in (select hash({{ columns }}) from {{ model }} group by hash({{ columns }}) having count(*) > 1)
{%- endif %}
group by {{ columns }}
having count(*) > 1 or {{ column_name }} is null
{% endtest %}
