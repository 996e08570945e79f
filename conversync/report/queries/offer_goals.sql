-- The goals of the ten offers that earned most: how many players reached each, and what it earned.
with told as (
$goals
),

goals as (
    select
        conversions.vendor,
        conversions.currency,
        conversions.offer_id,
        conversions.goal_id,
        max(told.goal) as goal,
        count(*) as conversions,
        count(*) filter (conversions.is_reversed) as reversals,
        count(*) filter (conversions.is_reversed) / count(*) as reversal_rate,
        sum(conversions.net_revenue) as net_revenue
    from marts.conversions as conversions
    left join told
        on conversions.vendor = told.vendor and conversions.conversion_id = told.conversion_id
    where
        conversions.goal_id is not null
        and not conversions.is_orphan
        and conversions.occurred_on between $first_day and $last_day
    group by all
),

ranked as (
    select
        *,
        dense_rank() over (partition by vendor, currency order by offer_net_revenue desc, offer_id) as place
    from (
        select *, sum(net_revenue) over (partition by vendor, currency, offer_id) as offer_net_revenue
        from goals
    )
)

select
    ranked.vendor,
    ranked.currency,
    ranked.place,
    coalesce(performance.offer_name, ranked.offer_id) as offer_name,
    ranked.goal_id,
    coalesce(ranked.goal, ranked.goal_id) as goal,
    ranked.conversions,
    ranked.reversals,
    ranked.reversal_rate,
    ranked.net_revenue
from ranked
left join marts.offer_performance as performance
    on ranked.vendor = performance.vendor
    and ranked.currency = performance.currency
    and ranked.offer_id = performance.offer_id
where place <= 10
order by ranked.vendor, ranked.currency, place, ranked.conversions desc, ranked.goal_id
