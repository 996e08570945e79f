-- How much of each week's conversions was taken back until now. A week younger than thirty days is still rising.
select
    vendor,
    cast(date_trunc('week', occurred_on) as date) as week,
    sum(conversions) as conversions,
    sum(reversals) as reversals,
    sum(reversals) / sum(conversions) as reversal_rate,
    date_trunc('week', occurred_on) + interval 36 days > $last_day as is_rising
from marts.reversal_cohorts
where occurred_on between $first_day and $last_day
group by all
order by vendor, week desc
