readings as (
    select
        readings.vendor,
        readings.stream,
        readings.window_start,
        -- A day that was not over when it was read does not count as read, nor does the last of a window.
        least(readings.window_end, cast(timezone(zones.zone, readings.read_at) as date)) as whole_before,
        readings.window_end,
        readings.is_short,
        readings.read_at,
        readings.received
    from marts.readings as readings
    inner join (values $zones) as zones (vendor, zone) on readings.vendor = zones.vendor
    -- A reading that was narrowed by user, offer or type tells nothing of a day.
    where readings.vendor <> 'besitos' or readings.filters in ('{}', '{"is_reverse":"true"}')
),

calendar as (
    select cast(unnest(generate_series($first_day, $last_day, interval 1 day)) as date) as day
),

streams as (
    select vendor, stream, min(window_start) as first_day, max(read_at) as last_read, sum(received) as received
    from readings
    group by vendor, stream
),

days as (
    select
        streams.vendor,
        streams.stream,
        calendar.day,
        case
            when calendar.day < any_value(streams.first_day) then 'before'
            when bool_or(readings.day_of_list or (not readings.is_short and calendar.day < readings.whole_before)) then 'whole'
            when bool_or(readings.is_short) then 'short'
            when count(readings.stream) > 0 then 'open'
            when streams.vendor = 'conductrics' then 'list'
            else 'never'
        end as state
    from streams
    cross join calendar
    left join (select *, vendor = 'conductrics' as day_of_list from readings) as readings
        on streams.vendor = readings.vendor
        and streams.stream = readings.stream
        and calendar.day between readings.window_start and readings.window_end
    group by streams.vendor, streams.stream, calendar.day
)
