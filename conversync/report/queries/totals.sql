-- What the conversions of each vendor's account came to. Vendors, accounts and currencies are never added.
select
    account,
    currency,
    cast(sum(conversions) as bigint) as conversions,
    cast(sum(reversals) as bigint) as reversals,
    cast(sum(reversals) as double precision) / nullif(cast(sum(conversions) as double precision), 0) as reversal_rate,
    cast(sum(orphans) as bigint) as orphans,
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
group by account, currency
order by account collate "C", net_revenue desc nulls last, currency collate "C"
