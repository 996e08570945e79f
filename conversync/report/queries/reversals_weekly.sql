-- How much of each week's conversions was taken back until now. A week is settled when its last day is older than the
-- days within which 95 of 100 reversals become known; until then, and where too few are known to say, it is rising.
select
    cohorts.account,
    cast(date_trunc('week', cohorts.occurred_on) as date) as week,
    cast(sum(cohorts.conversions) as bigint) as conversions,
    cast(sum(cohorts.reversals) as bigint) as reversals,
    cast(sum(cohorts.reversals) as double precision) / cast(sum(cohorts.conversions) as double precision) as reversal_rate,
    coalesce(
        cast(date_trunc('week', cohorts.occurred_on) as date) + 6
        + cast(max(lookback.days_for_95_percent) as integer) > $last_day,
        true
    ) as is_rising
from marts.reversal_cohorts as cohorts
left join marts.reversal_lookback as lookback on cohorts.account = lookback.account
where cohorts.occurred_on between $first_day and $last_day
group by cohorts.account, week
order by cohorts.account collate "C", week desc
