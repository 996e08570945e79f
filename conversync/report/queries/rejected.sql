-- The rows that are set aside and still open, by source and reason. What a reason quotes is left out, so that like ones are counted together.
select source, reason, count(*) as rows_set_aside, min(first_seen) as first_seen, max(last_seen) as last_seen
from (
    select
        source,
        regexp_replace(reason, '"[^"]*"|[0-9][0-9A-Za-z_:.-]*', '…', 'g') as reason,
        first_seen,
        last_seen
    from (
$rejected_rows
    ) as rejected_rows
    where resolved_at is null
) as alike
group by source, reason
order by rows_set_aside desc, source collate "C", reason collate "C"
