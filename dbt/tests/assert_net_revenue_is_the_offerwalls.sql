-- The net revenue of all Besitos conversions is the net payout of besitos.conversions, to the cent; and so the cost.
{{ config(enabled=var('conversync__using_besitos')) }}
with ours as (
    select coalesce(sum(net_revenue), 0) as revenue, coalesce(sum(net_cost), 0) as cost, count(*) as conversions
    from {{ ref('conversync__conversions') }}
    where vendor = 'besitos'
),

theirs as (
    select coalesce(sum(net_payout), 0) as revenue, coalesce(sum(net_reward), 0) as cost, count(*) as conversions
    from {{ ref('stg_conversync__besitos_conversions') }}
)

select ours.*, theirs.revenue as view_revenue, theirs.cost as view_cost, theirs.conversions as view_conversions
from ours
cross join theirs
where ours.revenue <> theirs.revenue or ours.cost <> theirs.cost or ours.conversions <> theirs.conversions
