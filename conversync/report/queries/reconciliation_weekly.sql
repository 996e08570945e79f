-- The transactions of each week that do not match, by what is wrong with them.
select
    cast(date_trunc('week', occurred_on) as date) as week,
    outcome,
    count(*) as transactions
from marts.reconciliation
where outcome <> 'matched' and occurred_on between $first_day and $last_day
group by week, outcome
order by week desc, outcome collate "C"
