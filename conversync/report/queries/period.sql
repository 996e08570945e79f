-- The days that the report is about: ninety, and the last is the newest that any reading asked for, or should have.
with readings as (
    select read_at, least(window_end, cast(timezone('UTC', read_at) as date) + 1) as last_day
    from marts.readings
),

owed as (
    select max(day) as last_day
    from (
$days
    ) as days
    where is_current
),

period as (
    select
        coalesce(
            greatest((select max(last_day) from readings), (select max(last_day) from owed)),
            (select max(occurred_on) from marts.conversions_daily),
            current_date
        ) as last_day
)

select
    cast(last_day - 89 as date) as first_day,
    last_day,
    (select max(read_at) from readings) as newest_reading
from period
