-- Net revenue by day, and what is known of the day. The mean is that of the seven days up to it, all of them read whole.
-- What we sent to a tracker ourselves is part of its net revenue, but not of the mean, and stands apart beside it.
with $day_states,

listed as (
    select distinct account, currency
    from marts.conversions_daily
    where occurred_on between $first_day and $last_day
),

sent as (
    select account, currency, occurred_on, count(*) as conversions, sum(net_revenue) as net_revenue
    from marts.conversions
    where is_sent_by_us and not is_orphan and occurred_on between $first_day and $last_day
    group by account, currency, occurred_on
),

days as (
    select
        listed.account,
        listed.currency,
        calendar.day as occurred_on,
        coalesce(known.state, 'outside') as state,
        coalesce(daily.conversions, 0) as conversions,
        coalesce(daily.reversals, 0) as reversals,
        cast(coalesce(daily.gross_revenue, 0) as decimal(18, 6)) as gross_revenue,
        cast(coalesce(daily.reversed_revenue, 0) as decimal(18, 6)) as reversed_revenue,
        cast(coalesce(daily.net_revenue, 0) as decimal(18, 6)) as net_revenue,
        coalesce(sent.conversions, 0) as sent_by_us,
        cast(coalesce(sent.net_revenue, 0) as decimal(18, 6)) as net_revenue_sent_by_us
    from listed
    cross join calendar
    left join known
        on listed.account = known.account and known.stream = 'conversions' and calendar.day = known.day
    left join marts.conversions_daily as daily
        on listed.account = daily.account and listed.currency = daily.currency and calendar.day = daily.occurred_on
    left join sent
        on listed.account = sent.account and listed.currency = sent.currency and calendar.day = sent.occurred_on
)

select
    *,
    case when count(*) filter (where state = 'whole') over week = 7 then
        floor(cast(sum(net_revenue - net_revenue_sent_by_us) over week as double precision) / 7 * 100 + 0.5) / 100
    end
        as mean_of_seven_days
from days
where state <> 'outside' or conversions > 0
window week as (
    partition by account, currency
    order by occurred_on
    range between interval '6 days' preceding and current row
)
order by account collate "C", currency collate "C", occurred_on desc
