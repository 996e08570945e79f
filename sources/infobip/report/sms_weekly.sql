-- The same by week of the first tag. The last week goes on.
select
    process_key,
    start_tag,
    end_tag,
    cast(date_trunc('week', day) as date) as week,
    cast(sum(start_count) as bigint) as start_count,
    cast(sum(end_count) as bigint) as end_count,
    cast(sum(end_count) as double precision) / nullif(cast(sum(start_count) as double precision), 0) as conversion_rate,
    cast(sum(cast(average_seconds * timed_conversions as decimal(18, 3))) as double precision)
    / nullif(cast(sum(timed_conversions) as double precision), 0) / 3600 as average_hours
from marts.sms_funnel
where day between $first_day and $last_day
group by process_key, start_tag, end_tag, week
order by process_key collate "C", start_tag collate "C", end_tag collate "C", week desc
