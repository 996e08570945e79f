-- The sends of which nobody knows whether they arrived, oldest first.
select target, send_key, attempts, first_sent_at, reason
from (
$ledgers
) as ledgers
where status = 'in_doubt'
order by first_sent_at, target collate "C", send_key collate "C"
limit 20
