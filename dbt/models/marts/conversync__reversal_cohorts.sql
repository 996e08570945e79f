-- The conversions of a day, and how late their reversals became known. A day's figures go on changing as reversals
-- arrive: compare only days that were watched equally long.
with conversions as (
    select * from {{ ref('conversync__conversions') }}
    where not is_orphan
)

select
    account || ':' || cast(occurred_on as varchar) || ':' || currency as cohort_key,
    vendor,
    occurred_on,
    currency,
    count(*) as conversions,
    count(case when is_reversed then 1 end) as reversals,
    cast(count(case when is_reversed then 1 end) as double precision) / count(*) as reversal_rate,
    cast(sum(gross_revenue) as numeric(18, 6)) as gross_revenue,
    cast(sum(reversed_revenue) as numeric(18, 6)) as reversed_revenue,
    count(days_until_known) as dated_reversals,
    count(case when days_until_known <= 7 then 1 end) as reversed_within_7_days,
    count(case when days_until_known <= 30 then 1 end) as reversed_within_30_days,
    count(case when days_until_known <= 60 then 1 end) as reversed_within_60_days,
    max(days_until_known) as most_days_until_known,
    account
from conversions
group by vendor, account, occurred_on, currency
