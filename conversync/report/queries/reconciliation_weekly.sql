-- The transactions of each week that are compared and do not match, by what is wrong with them.
select
    cast(date_trunc('week', occurred_on) as date) as week,
    outcome,
    count(*) as transactions
from marts.reconciliation
where outcome <> 'matched' and is_read_by_both and occurred_on between $first_day and $last_day
group by week, outcome
order by week desc, outcome collate "C"
