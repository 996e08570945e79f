-- Every day's figures are those of its conversions, and no day is left over.
with days as (
    select
        vendor,
        account,
        occurred_on,
        currency,
        sum(gross_revenue) as gross_revenue,
        sum(reversed_revenue) as reversed_revenue,
        sum(net_revenue) as net_revenue,
        count(case when not is_orphan then 1 end) as conversions
    from {{ ref('conversync__conversions') }}
    group by vendor, account, occurred_on, currency
)

select
    coalesce(days.vendor, daily.vendor) as vendor,
    coalesce(days.occurred_on, daily.occurred_on) as occurred_on
from days
full outer join {{ ref('conversync__conversions_daily') }} as daily
    on days.account = daily.account
    and days.vendor = daily.vendor
    and days.occurred_on = daily.occurred_on
    and days.currency = daily.currency
where
    days.vendor is null
    or daily.vendor is null
    or days.gross_revenue <> daily.gross_revenue
    or days.reversed_revenue <> daily.reversed_revenue
    or days.net_revenue <> daily.net_revenue
    or days.conversions <> daily.conversions
