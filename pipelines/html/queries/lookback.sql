-- How many days back a night must read to hear of so many of all reversals there ever were.
select
    vendor,
    measure,
    reversals,
    days_for_half,
    days_for_95_percent,
    days_for_99_percent,
    days_for_99_9_percent,
    days_for_all
from marts.reversal_lookback
order by reversals desc, vendor, measure
