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

{#- As dbt's `unique`, within each account of a vendor: two may have one id. -#}
{% test unique_in_account(model, column_name, vendor) %}
{%- set columns = (['account'] if conversync.accounts_of(vendor) | length > 1 else []) + [column_name] -%}
select {{ columns | join(', ') }}, count(*) as times
from {{ model }}
where {{ column_name }} is not null
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
