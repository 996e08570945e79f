-- Every way from one tag to another: how many went it, and how long they took. Counts are added, averages weighed.
select
    process_key,
    max(process_name) as process_name,
    coalesce(nullif(start_tag, ''), 'anything') || ' → ' || coalesce(nullif(end_tag, ''), 'anything') as way,
    start_tag,
    end_tag,
    sum(start_count) as start_count,
    sum(end_count) as end_count,
    sum(end_count) / nullif(sum(start_count), 0) as conversion_rate,
    sum(average_seconds * timed_conversions) / nullif(sum(timed_conversions), 0) / 3600 as average_hours
from marts.sms_funnel
where day between $first_day and $last_day
group by process_key, start_tag, end_tag
order by start_count desc, process_key, end_count desc, start_tag, end_tag
