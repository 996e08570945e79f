{#-
  The two halves of an incremental model that is equal to its full refresh by construction: it writes the rows of
  `shaped` that it does not hold as they are, and removes those whose key is not in `shaped` any more.

  Rows are compared, not times: a restated amount, a moved day, a renamed offer, a setting that changed and a table
  that was loaded anew are all seen, and no clock is trusted. Reading follows the table, writing what changed.
-#}
{% macro only_what_changed(shaped) %}
select * from {{ shaped }}
{%- if is_incremental() %}
{%- set held = adapter.get_columns_in_relation(this) | map(attribute='name') | list %}
except
select
    {%- for column in adapter.get_columns_in_relation(shaped) %}
    {{ column.name if column.name in held else 'null' }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ this }}
{%- endif %}
{% endmacro %}

{#- To be run after the rows that changed are in, in the same transaction. -#}
{% macro remove_what_vanished(shaped, key) %}
delete from {{ this }} as held
where not exists (select 1 from {{ shaped }} as shaped where shaped.{{ key }} = held.{{ key }})
{% endmacro %}
