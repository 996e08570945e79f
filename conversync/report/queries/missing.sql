-- The days that are missing of each source since its first reading, over the listings that its settings still name.
with $day_states,

short_readings as (
    select account, cast(sum(missing) as bigint) as missing
    from (
        select distinct account, stream, window_start, window_end, read_at, missing
        from known
        where state = 'short' and is_current
    ) as readings
    group by account
)

select
    known.account,
    count(distinct known.day) filter (where known.state = 'never') as never,
    count(distinct known.day) filter (where known.state = 'short') as short,
    coalesce(max(short_readings.missing), 0) as missing_rows
from known
left join short_readings on known.account = short_readings.account
where known.is_current
group by known.account
order by known.account collate "C"
