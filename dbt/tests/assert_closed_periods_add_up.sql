-- As reported + corrections = as known now, of every closed period and currency, to the cent.
with periods as (
    {{ conversync.closed_periods() }}
),

reported as (
    select lines.period, lines.vendor, lines.account, lines.currency, sum(lines.net_revenue) as net_revenue
    from (
        {{ conversync.closed('reported', [
            ('period', 'varchar'), ('vendor', 'varchar'), ('account', 'varchar'), ('closing', 'bigint'),
            ('currency', 'varchar'), ('net_revenue', 'numeric(18, 6)'),
        ]) }}
    ) as lines
    inner join periods
        on lines.period = periods.period
        and lines.vendor = periods.vendor
        and lines.account = periods.account
        and lines.closing = periods.closing
    group by lines.period, lines.vendor, lines.account, lines.currency
),

corrected as (
    select period, vendor, account, currency, sum(net_change) as net_change
    from {{ ref('conversync__corrections') }}
    group by period, vendor, account, currency
),

known as (
    select
        periods.period,
        periods.vendor,
        periods.account,
        conversions.currency,
        sum(conversions.net_revenue) as net_revenue
    from {{ ref('conversync__conversions') }} as conversions
    inner join periods
        on conversions.vendor = periods.vendor
        and conversions.account = periods.account
        and conversions.occurred_on between periods.first_day and periods.last_day
    group by periods.period, periods.vendor, periods.account, conversions.currency
),

amounts as (
    select period, vendor, account, currency, net_revenue as said, 0 as known from reported
    union all
    select period, vendor, account, currency, net_change as said, 0 as known from corrected
    union all
    select period, vendor, account, currency, 0 as said, net_revenue as known from known
)

select period, vendor, account, currency, sum(said) as said, sum(known) as known
from amounts
group by period, vendor, account, currency
having sum(said) <> sum(known)
