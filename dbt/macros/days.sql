{#- The day on which an instant falls in a zone. -#}
{% macro day_in(instant, zone) -%}
    cast({{ instant }} at time zone '{{ zone }}' as date)
{%- endmacro %}

{#- How many days lie between two days, as a whole number. -#}
{% macro days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as bigint)
{%- endmacro %}
