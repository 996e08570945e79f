-- The worst that is to be said of each day of each source. A stream that its source has not read for a week is left out.
-- whole: all rows came, after the day was over. open: read, but not over. short: fewer rows came than were announced.
-- never: no reading asked for it. before: before the first reading. list: the source is a list, and was not read then.
with $day_states

select
    days.vendor,
    days.day,
    min_by(days.state, array_position(['short', 'never', 'open', 'before', 'list', 'whole'], days.state)) as state
from days
inner join streams on days.vendor = streams.vendor and days.stream = streams.stream
where streams.last_read > (
    select max(others.last_read) - interval 7 days from streams as others where others.vendor = days.vendor
)
group by days.vendor, days.day
order by days.vendor, days.day
