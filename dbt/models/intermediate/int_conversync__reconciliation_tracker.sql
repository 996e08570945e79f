-- The tracker's side of the reconciliation: a row a transaction, however often the tracker counts it.
-- Amounts are added only where all of them are in one currency; else amounts and currency are null.
with posted as (
    select conversions.*
    from {{ ref('conversync__conversions') }} as conversions
    {%- if var('conversync__using_keitaro') %}
    inner join {{ ref('stg_conversync__keitaro_conversions') }} as tracked
        on conversions.conversion_id = tracked.conversion_id
        {{ conversync.and_same_account('keitaro', 'conversions', 'tracked') }}
    {%- endif %}
    where conversions.vendor = 'keitaro' and conversions.transaction_id is not null
    {%- if var('conversync__using_keitaro') and var('keitaro_besitos_networks') %}
        and tracked.affiliate_network_id in ({{ var('keitaro_besitos_networks') | join(', ') }})
    {%- endif %}
)

select
    transaction_id,
    min(occurred_on) as occurred_on,
    min(occurred_at) as occurred_at,
    count(*) as tracker_conversions,
    case when min(currency) = max(currency) then min(currency) end as currency,
    cast(case when min(currency) = max(currency) then sum(gross_revenue) end as numeric(18, 6)) as gross_revenue,
    cast(case when min(currency) = max(currency) then sum(net_revenue) end as numeric(18, 6)) as net_revenue,
    max(case when is_currency_assumed then 1 else 0 end) = 1 as is_currency_assumed,
    max(case when is_reversed then 1 else 0 end) = 1 as is_reversed
from posted
group by transaction_id
