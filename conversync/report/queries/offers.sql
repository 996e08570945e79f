-- The ten offers of each account and currency that earned most, after reversals.
with offers as (
    select
        account,
        currency,
        offer_id,
        count(*) as conversions,
        count(*) filter (where is_reversed) as reversals,
        cast(count(*) filter (where is_reversed) as double precision) / count(*) as reversal_rate,
        sum(net_revenue) as net_revenue,
        sum(net_revenue) - sum(net_cost) as margin,
        count(distinct goal_id) as goals
    from marts.conversions
    where not is_orphan and occurred_on between $first_day and $last_day
    group by account, currency, offer_id
),

ranked as (
    select
        row_number() over (
            partition by account, currency order by net_revenue desc nulls last, offer_id collate "C"
        ) as place,
        offers.*
    from offers
)

select
    offers.*,
    coalesce(
        performance.offer_name,
        'offer ' || offers.offer_id,
        $without_offer
    ) as offer_name
from ranked as offers
left join marts.offer_performance as performance
    on offers.account = performance.account
    and offers.currency = performance.currency
    and offers.offer_id is not distinct from performance.offer_id
where offers.place <= 10
order by offers.account collate "C", offers.currency collate "C", offers.place
