{#- Whether a tracker's status takes the revenue back. -#}
{% macro is_rejected(status) -%}
    coalesce({{ status }}, '') in ('rejected', 'trash')
{%- endmacro %}
