-- The ten open rows that were set aside last. The rows themselves stand in the column raw.
select source, stream, reason, window_start, window_end, first_seen, times_seen, left(raw_hash, 12) as raw_hash
from (
$rejected_rows
) as rejected_rows
where resolved_at is null
order by first_seen desc nulls last, rejected_rows.source collate "C", rejected_rows.raw_hash collate "C"
limit 10
