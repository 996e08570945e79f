{#-
  The day on which an instant falls in a zone, which is SQL: `'UTC'`. Of that zone it is worked out, at a fifth of the cost,
  since an instant is counted from the beginning of a day there.
-#}
{% macro day_in(instant, zone) -%}
    {%- if zone == "'UTC'" -%}
    (date '1970-01-01' + cast(floor(extract(epoch from {{ instant }}) / 86400) as integer))
    {%- else -%}
    cast({{ instant }} at time zone {{ zone }} as date)
    {%- endif -%}
{%- endmacro %}

{#- How many days lie between two days, as a whole number. -#}
{% macro days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as bigint)
{%- endmacro %}

{#- How many days after a conversion we read of its reversal; null where nobody knows when that came. -#}
{% macro days_until_seen(reversals, zone) -%}
    case
        when {{ reversals }}.is_arrival_known
            then {{ conversync.days_between(reversals ~ '.occurred_on', conversync.day_in(reversals ~ '.reversal_seen_at', zone)) }}
    end
{%- endmacro %}
