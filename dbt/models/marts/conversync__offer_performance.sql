-- What every offer earned, what was taken back of it, and what it cost, over all time. Currencies stay apart.
-- Conversions are read twice rather than kept once: DuckDB would keep every column of every row.
with conversions as not materialized (
    select * from {{ ref('conversync__conversions') }}
    where not is_orphan
),

-- An offer is called as its latest conversion calls it.
names as (
    select
        vendor,
        account,
        offer_id,
        offer_name,
        row_number() over (partition by vendor, account, offer_id order by max(occurred_at) desc, offer_name collate "C" desc) as place
    from conversions
    where offer_name is not null
    group by vendor, account, offer_id, offer_name
),

offers as (
    select
        vendor,
        account,
        currency,
        offer_id,
        count(*) as conversions,
        count(case when is_reversed then 1 end) as reversals,
        count(distinct user_key) as users,
        count(distinct goal_id) as goals,
        cast(sum(gross_revenue) as numeric(18, 6)) as gross_revenue,
        cast(sum(reversed_revenue) as numeric(18, 6)) as reversed_revenue,
        cast(sum(net_revenue) as numeric(18, 6)) as net_revenue,
        cast(sum(net_cost) as numeric(18, 6)) as net_cost,
        min(occurred_on) as first_on,
        max(occurred_on) as last_on
    from conversions
    group by vendor, account, currency, offer_id
)

select
    offers.account || ':' || coalesce(offers.offer_id, '') || ':' || offers.currency as offer_key,
    offers.vendor,
    offers.currency,
    offers.offer_id,
    names.offer_name,
    offers.conversions,
    offers.reversals,
    cast(offers.reversals as double precision) / offers.conversions as reversal_rate,
    offers.users,
    offers.goals,
    offers.gross_revenue,
    offers.reversed_revenue,
    offers.net_revenue,
    offers.net_cost,
    cast(offers.net_revenue - offers.net_cost as numeric(18, 6)) as margin,
    offers.first_on,
    offers.last_on,
    offers.account
from offers
left join names
    on offers.vendor = names.vendor
    and offers.account = names.account
    and coalesce(offers.offer_id, '') = coalesce(names.offer_id, '')
    and names.place = 1
