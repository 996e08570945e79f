-- The twenty newest transactions that do not match, of days on which the side that lacks them was read.
select
    transaction_id,
    occurred_on,
    outcome,
    offer_name,
    offerwall_currency,
    offerwall_net_revenue,
    tracker_currency,
    tracker_net_revenue
from marts.reconciliation
where outcome not in ('matched', 'tracker not read', 'offerwall not read') and occurred_on between $first_day and $last_day
order by occurred_on desc, transaction_id collate "C" desc
limit 20
