-- How many of the days each stream of each source has read, and when it was last read.
with $day_states

select
    days.vendor,
    days.stream,
    count(*) filter (days.state = 'whole') as whole,
    count(*) filter (days.state = 'open') as open,
    count(*) filter (days.state = 'short') as short,
    count(*) filter (days.state = 'never') as never,
    count(*) filter (days.state = 'before') as before,
    any_value(streams.first_day) as first_day,
    any_value(streams.last_read) as last_read
from days
inner join streams on days.vendor = streams.vendor and days.stream = streams.stream
group by days.vendor, days.stream
order by days.vendor, days.stream
