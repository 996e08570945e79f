-- How many days of each listing were read since its first reading, and when it last came.
with $day_states

select
    account,
    stream,
    count(*) filter (where state = 'whole') as whole,
    count(*) filter (where state = 'open') as open,
    count(*) filter (where state = 'short') as short,
    count(*) filter (where state = 'never') as never,
    min(day) as first_day,
    max(last_read) as last_read,
    cast(extract(epoch from now() - max(last_read)) as double precision) / 86400 as days_since,
    coalesce(max(last_read) < now() - interval '$stale_seconds seconds', false) as is_stale,
    bool_or(is_current) as is_current
from known
group by account, stream
order by account collate "C", stream collate "C"
