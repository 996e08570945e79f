-- What was sent to each target, and how it ended.
select target, status, count(*) as sends, min(first_sent_at) as first_sent_at, max(sent_at) as last_sent_at
from (
$ledgers
) as ledgers
group by target, status
order by target collate "C", status collate "C"
