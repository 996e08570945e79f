-- How many users went from one tag to another, by the day of the first, and how long they took.
-- Add counts, not rates: sum(end_count) / sum(start_count).
{% if var('conversync__using_infobip') %}
with rates as (
    select * from {{ ref('stg_conversync__infobip_conversion_rates') }}
),

times as (
    select * from {{ ref('int_conversync__infobip_daily_times') }}
),

processes as (
    select * from {{ ref('stg_conversync__infobip_processes') }}
)

select
    case when rates.account <> 'infobip' then rates.account || ':' else '' end || rates.process_key || ':' || rates.start_tag || ':' || rates.end_tag || ':' || cast(rates.day as varchar)
        as funnel_key,
    rates.process_key,
    processes.name as process_name,
    rates.start_tag,
    rates.end_tag,
    rates.day,
    rates.start_count,
    rates.end_count,
    cast(rates.end_count as double precision) / nullif(rates.start_count, 0) as conversion_rate,
    times.timed_conversions,
    times.average_seconds,
    times.average_seconds / 3600 as average_hours,
    rates.account
from rates
left join times
    on rates.process_key = times.process_key
    and rates.account = times.account
    and rates.start_tag = times.start_tag
    and rates.end_tag = times.end_tag
    and rates.day = times.day
left join processes on rates.process_key = processes.key and rates.account = processes.account
{% else %}
{{ conversync.no_rows('conversync__sms_funnel') }}
{% endif %}
