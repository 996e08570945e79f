-- How late reversals become known, and of how many that is said: of days that were watched equally long.
select
    vendor,
    watched_days,
    watched_until,
    reversals,
    days_for_half,
    days_for_95_percent,
    days_for_99_percent,
    days_for_99_9_percent,
    all_reversals,
    latest_days,
    account
from marts.reversal_lookback
where latest_days is not null
order by reversals desc nulls last, account collate "C"
