-- How many of all reversals had come so many days after their conversion, by each way to measure it.
with reversals as (
    select vendor, 'stated' as measure, days_to_reversal as days
    from marts.conversions
    where is_reversed and not is_orphan
    union all
    select vendor, 'seen' as measure, days_until_seen as days
    from marts.conversions
    where is_reversed and not is_orphan
),

by_day as (
    select vendor, measure, days, count(*) as reversals
    from reversals
    where days is not null
    group by all
)

select
    vendor,
    measure,
    days,
    reversals,
    sum(reversals) over (partition by vendor, measure order by days)
        / sum(reversals) over (partition by vendor, measure) as share_until_then
from by_day
order by vendor, measure, days
