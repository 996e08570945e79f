known as (
    select account, stream, day, $judged as state, missing, window_start, window_end, read_at, last_read, is_current
    from (
$days
    ) as days
),

calendar as (
    select cast(days.day as date) as day from generate_series($first_day, $last_day, interval '1 day') as days (day)
)
