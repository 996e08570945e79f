{#- Of these vendors, those that are not switched off (`conversync__using_<vendor>`). -#}
{% macro using(vendors) %}
{%- set on = [] -%}
{%- for vendor in vendors if var('conversync__using_' ~ vendor) -%}
{%- do on.append(vendor) -%}
{%- endfor -%}
{%- do return(on) -%}
{% endmacro %}

{#- A mart without a row, typed as its contract says: what stands where all vendors that fill it are switched off. -#}
{% macro no_rows(mart) %}
{%- if execute -%}
select
    {%- for column in graph.nodes['model.conversync.' ~ mart].columns.values() %}
    cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
where false
{%- endif -%}
{% endmacro %}
