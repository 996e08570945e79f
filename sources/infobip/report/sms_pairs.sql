-- Every way from one tag to another: how many went it, and how long they took. Counts are added, averages weighed.
select
    process_key,
    max(process_name collate "C") as process_name,
    coalesce(nullif(start_tag, ''), 'anything') || ' → ' || coalesce(nullif(end_tag, ''), 'anything') as way,
    start_tag,
    end_tag,
    cast(sum(start_count) as bigint) as start_count,
    cast(sum(end_count) as bigint) as end_count,
    cast(sum(end_count) as double precision) / nullif(cast(sum(start_count) as double precision), 0) as conversion_rate,
    cast(sum(cast(average_seconds * timed_conversions as decimal(18, 3))) as double precision)
    / nullif(cast(sum(timed_conversions) as double precision), 0) / 3600 as average_hours
from marts.sms_funnel
where day between $first_day and $last_day
group by process_key, start_tag, end_tag
order by
    start_count desc nulls last,
    process_key collate "C",
    end_count desc nulls last,
    start_tag collate "C",
    end_tag collate "C"
