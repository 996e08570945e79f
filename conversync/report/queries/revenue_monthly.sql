-- What was earned by month, what was taken back of it since, and what it cost.
select
    account,
    currency,
    cast(date_trunc('month', occurred_on) as date) as month,
    cast(sum(conversions) as bigint) as conversions,
    sum(gross_revenue) as gross_revenue,
    sum(reversed_revenue) as reversed_revenue,
    sum(net_revenue) as net_revenue,
    sum(net_cost) as net_cost,
    sum(margin) as margin
from marts.conversions_daily
where occurred_on between $first_day and $last_day
group by account, currency, month
order by account collate "C", currency collate "C", month desc
