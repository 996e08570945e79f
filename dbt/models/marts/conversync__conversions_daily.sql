-- What a vendor's day earned, cost and gave back, in one currency.
with conversions as (
    select * from {{ ref('conversync__conversions') }}
)

select
    account || ':' || cast(occurred_on as varchar) || ':' || currency as daily_key,
    vendor,
    occurred_on,
    currency,
    count(case when not is_orphan then 1 end) as conversions,
    count(case when is_reversed and not is_orphan then 1 end) as reversals,
    count(case when is_orphan then 1 end) as orphans,
    cast(sum(gross_revenue) as numeric(18, 6)) as gross_revenue,
    cast(sum(reversed_revenue) as numeric(18, 6)) as reversed_revenue,
    cast(sum(net_revenue) as numeric(18, 6)) as net_revenue,
    cast(sum(net_cost) as numeric(18, 6)) as net_cost,
    cast(sum(net_revenue) - sum(net_cost) as numeric(18, 6)) as margin,
    cast(sum(unmatched_reversal) as numeric(18, 6)) as unmatched_reversals,
    account
from conversions
group by vendor, account, occurred_on, currency
