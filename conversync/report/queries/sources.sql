-- Every source that was ever read: its first and last day, and when it was last read.
select
    account,
    max(vendor) as vendor,
    min(window_start) as first_day,
    max(window_end) as last_day,
    max(read_at) as last_read,
    count(*) as readings,
    count(*) filter (where is_short) as short_readings
from marts.readings
group by account
order by account collate "C"
