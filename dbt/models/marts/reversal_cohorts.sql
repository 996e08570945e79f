-- The conversions of a day, and how late their reversals came. A day's figures go on changing as reversals arrive.
with conversions as (
    select * from {{ ref('conversions') }}
    where not is_orphan
)

select
    vendor || ':' || cast(occurred_on as varchar) || ':' || currency as cohort_key,
    vendor,
    occurred_on,
    currency,
    count(*) as conversions,
    count(case when is_reversed then 1 end) as reversals,
    cast(count(case when is_reversed then 1 end) as double precision) / count(*) as reversal_rate,
    cast(sum(gross_revenue) as numeric(18, 6)) as gross_revenue,
    cast(sum(reversed_revenue) as numeric(18, 6)) as reversed_revenue,
    count(case when days_to_reversal <= 7 then 1 end) as reversed_within_7_days,
    count(case when days_to_reversal <= 30 then 1 end) as reversed_within_30_days,
    count(case when days_to_reversal <= 60 then 1 end) as reversed_within_60_days,
    max(days_to_reversal) as most_days_to_reversal,
    count(days_until_seen) as arrivals_known,
    count(case when days_until_seen <= 7 then 1 end) as seen_within_7_days,
    count(case when days_until_seen <= 30 then 1 end) as seen_within_30_days,
    count(case when days_until_seen <= 60 then 1 end) as seen_within_60_days,
    max(days_until_seen) as most_days_until_seen
from conversions
group by vendor, occurred_on, currency
