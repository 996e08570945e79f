-- How many days of each listing were read since its first reading, and when it last came.
with $day_states

select
    account,
    stream,
    count(*) filter (state = 'whole') as whole,
    count(*) filter (state = 'open') as open,
    count(*) filter (state = 'short') as short,
    count(*) filter (state = 'never') as never,
    min(day) as first_day,
    any_value(last_read) as last_read,
    date_diff('hour', any_value(last_read), now()) / 24 as days_since,
    any_value(last_read) < now() - interval '$stale_seconds seconds' as is_stale,
    any_value(is_current) as is_current
from known
group by account, stream
order by account, stream
