-- The worst that is to be said of each day of each source, over the listings that its settings still name.
-- whole: all rows came, after the day was over. open: not over when it was last read. short: rows are missing.
-- never: no reading covers it. outside: nobody asked for it. list: the source is a list, and was not read then.
with $day_states,

streams as (
    select distinct account, stream from known where is_current
)

select
    streams.account,
    calendar.day,
    min_by(
        coalesce(known.state, case when streams.account in $lists then 'list' else 'outside' end),
        array_position(
            ['short', 'never', 'open', 'outside', 'list', 'whole'],
            coalesce(known.state, case when streams.account in $lists then 'list' else 'outside' end)
        )
    ) as state
from streams
cross join calendar
left join known
    on streams.account = known.account and streams.stream = known.stream and calendar.day = known.day
group by streams.account, calendar.day
order by streams.account, calendar.day
