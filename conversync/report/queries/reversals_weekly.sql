-- How much of each week's conversions was taken back until now. A week is settled when its last day is older than the
-- days within which 95 of 100 reversals become known; until then, and where too few are known to say, it is rising.
select
    cohorts.account,
    cast(date_trunc('week', cohorts.occurred_on) as date) as week,
    sum(cohorts.conversions) as conversions,
    sum(cohorts.reversals) as reversals,
    sum(cohorts.reversals) / sum(cohorts.conversions) as reversal_rate,
    coalesce(
        cast(date_trunc('week', cohorts.occurred_on) as date) + 6
        + cast(any_value(lookback.days_for_95_percent) as integer) > $last_day,
        true
    ) as is_rising
from marts.reversal_cohorts as cohorts
left join marts.reversal_lookback as lookback on cohorts.account = lookback.account
where cohorts.occurred_on between $first_day and $last_day
group by cohorts.account, week
order by cohorts.account, week desc
