-- What each vendor's conversions came to. Vendors and currencies are never added.
select
    vendor,
    currency,
    sum(conversions) as conversions,
    sum(reversals) as reversals,
    sum(reversals) / nullif(sum(conversions), 0) as reversal_rate,
    sum(orphans) as orphans,
    sum(gross_revenue) as gross_revenue,
    sum(reversed_revenue) as reversed_revenue,
    sum(net_revenue) as net_revenue,
    sum(net_cost) as net_cost,
    sum(margin) as margin,
    count(*) as days,
    min(occurred_on) as first_on,
    max(occurred_on) as last_on
from marts.conversions_daily
where occurred_on between $first_day and $last_day
group by vendor, currency
order by vendor, net_revenue desc, currency
