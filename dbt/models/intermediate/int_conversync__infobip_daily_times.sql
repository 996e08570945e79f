-- How long it took those who passed a pair's start tag on a day. An average is kept for each end window that was
-- asked for; the widest one holds the most of those who converted.
with times as (
    select
        *,
        {{ conversync.day_in('start_from', "'UTC'") }} as day,
        row_number() over (
            partition by account, process_key, start_tag, end_tag, start_from
            order by end_to desc, end_from
        ) as place
    from {{ ref('stg_conversync__infobip_conversion_times') }}
    where window_days = 1
)

select
    process_key,
    start_tag,
    end_tag,
    day,
    end_count as timed_conversions,
    -- Where nobody converted, the vendor may say 0.
    case when end_count > 0 then average_seconds end as average_seconds,
    account
from times
where place = 1
