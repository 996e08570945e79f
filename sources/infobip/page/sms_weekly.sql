-- The same by week of the first tag. The last week goes on.
select
    process_key,
    start_tag,
    end_tag,
    cast(date_trunc('week', day) as date) as week,
    sum(start_count) as start_count,
    sum(end_count) as end_count,
    sum(end_count) / nullif(sum(start_count), 0) as conversion_rate,
    sum(average_seconds * timed_conversions) / nullif(sum(timed_conversions), 0) / 3600 as average_hours
from marts.sms_funnel
where day between $first_day and $last_day
group by process_key, start_tag, end_tag, week
order by process_key, start_tag, end_tag, week desc
