-- The offerwall held against the tracker, by outcome. Amounts stand apart by both sides' currencies. Shares are of the
-- transactions that are compared: those of days on which both sides were read whole.
select
    outcome,
    offerwall_currency,
    tracker_currency,
    count(*) as transactions,
    count(*) filter (where is_read_by_both) as compared,
    sum(offerwall_net_revenue) as offerwall_net_revenue,
    sum(tracker_net_revenue) as tracker_net_revenue,
    sum(gross_difference) as gross_difference,
    sum(net_difference) as net_difference
from marts.reconciliation
where occurred_on between $first_day and $last_day
group by outcome, offerwall_currency, tracker_currency
order by transactions desc, outcome collate "C", offerwall_currency collate "C", tracker_currency collate "C"
