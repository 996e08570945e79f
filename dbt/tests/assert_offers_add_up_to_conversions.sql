-- The offers' net revenue, in each currency, is that of all conversions.
with offers as (
    select vendor, currency, sum(net_revenue) as net_revenue, sum(conversions) as conversions
    from {{ ref('conversync__offer_performance') }}
    group by vendor, currency
),

conversions as (
    select vendor, currency, sum(net_revenue) as net_revenue, count(case when not is_orphan then 1 end) as conversions
    from {{ ref('conversync__conversions') }}
    where not is_orphan
    group by vendor, currency
)

select conversions.vendor, conversions.currency
from conversions
left join offers on conversions.vendor = offers.vendor and conversions.currency = offers.currency
where
    offers.vendor is null
    or offers.net_revenue <> conversions.net_revenue
    or offers.conversions <> conversions.conversions
