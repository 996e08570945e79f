-- The ten offers of each account and currency that earned most, after reversals.
with offers as (
    select
        account,
        currency,
        offer_id,
        count(*) as conversions,
        count(*) filter (is_reversed) as reversals,
        count(*) filter (is_reversed) / count(*) as reversal_rate,
        sum(net_revenue) as net_revenue,
        sum(net_revenue) - sum(net_cost) as margin,
        count(distinct goal_id) as goals
    from marts.conversions
    where not is_orphan and occurred_on between $first_day and $last_day
    group by account, currency, offer_id
)

select
    row_number() over (
        partition by offers.account, offers.currency order by offers.net_revenue desc, offers.offer_id
    ) as place,
    offers.*,
    coalesce(
        performance.offer_name,
        'offer ' || offers.offer_id,
        $without_offer
    ) as offer_name
from offers
left join marts.offer_performance as performance
    on offers.account = performance.account
    and offers.currency = performance.currency
    and offers.offer_id is not distinct from performance.offer_id
qualify place <= 10
order by offers.account, offers.currency, place
