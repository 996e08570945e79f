-- How many days back a night must read to hear of so many of all reversals, counted from the day of the conversion:
-- by the date that the vendor gives a reversal ('stated'), and by the day on which we learned of it ('seen').
with reversals as (
    select * from {{ ref('conversions') }}
    where is_reversed and not is_orphan
),

measured as (
    select vendor, 'stated' as measure, days_to_reversal as days from reversals
    union all
    select vendor, 'seen' as measure, days_until_seen as days from reversals
)

select
    vendor || ':' || measure as lookback_key,
    vendor,
    measure,
    count(*) as reversals,
    percentile_disc(0.5) within group (order by days) as days_for_half,
    percentile_disc(0.95) within group (order by days) as days_for_95_percent,
    percentile_disc(0.99) within group (order by days) as days_for_99_percent,
    percentile_disc(0.999) within group (order by days) as days_for_99_9_percent,
    max(days) as days_for_all
from measured
where days is not null
group by vendor, measure
