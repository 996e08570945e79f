-- The goals of the ten offers that earned most: how many players reached each, and what it earned.
with goals as (
    select
        account,
        currency,
        offer_id,
        goal_id,
        count(*) as conversions,
        count(*) filter (where is_reversed) as reversals,
        cast(count(*) filter (where is_reversed) as double precision) / count(*) as reversal_rate,
        sum(net_revenue) as net_revenue
    from marts.conversions
    where goal_id is not null and not is_orphan and occurred_on between $first_day and $last_day
    group by account, currency, offer_id, goal_id
),

-- The goals are called as one of their conversions of these days calls them.
told as (
    select account, currency, offer_id, goal_id, max(goal collate "C") as goal
    from (
$goals
    ) as goals
    where goal_id is not null and occurred_on between $first_day and $last_day
    group by account, currency, offer_id, goal_id
),

ranked as (
    select
        *,
        dense_rank() over (
            partition by account, currency order by offer_net_revenue desc nulls last, offer_id collate "C"
        ) as place
    from (
        select *, sum(net_revenue) over (partition by account, currency, offer_id) as offer_net_revenue
        from goals
    ) as summed
)

select
    ranked.account,
    ranked.currency,
    ranked.place,
    coalesce(performance.offer_name, ranked.offer_id) as offer_name,
    ranked.goal_id,
    coalesce(told.goal, ranked.goal_id) as goal,
    ranked.conversions,
    ranked.reversals,
    ranked.reversal_rate,
    ranked.net_revenue
from ranked
left join told
    on ranked.account = told.account
    and ranked.currency = told.currency
    and ranked.offer_id is not distinct from told.offer_id
    and ranked.goal_id = told.goal_id
left join marts.offer_performance as performance
    on ranked.account = performance.account
    and ranked.currency = performance.currency
    and ranked.offer_id = performance.offer_id
where ranked.place <= 10
order by
    ranked.account collate "C",
    ranked.currency collate "C",
    ranked.place,
    ranked.conversions desc,
    ranked.goal_id collate "C"
