-- Of the days that were watched equally long: how many of their reversals were known so many days after the conversion.
with by_day as (
    select
        conversions.account,
        conversions.days_until_known as days,
        count(*) as reversals
    from marts.conversions as conversions
    inner join marts.reversal_lookback as lookback on conversions.account = lookback.account
    where
        conversions.is_reversed
        and not conversions.is_orphan
        and conversions.days_until_known <= lookback.watched_days
        and conversions.occurred_on <= lookback.watched_until
    group by conversions.account, conversions.days_until_known
)

select
    account,
    days,
    reversals,
    cast(sum(reversals) over (partition by account order by days) as double precision)
    / cast(sum(reversals) over (partition by account) as double precision)
        as share_until_then
from by_day
order by account collate "C", days
