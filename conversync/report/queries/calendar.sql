-- The worst that is to be said of each day of each source, over the listings that its settings still name.
-- whole: all rows came, after the day was over. open: not over when it was last read. short: rows are missing.
-- never: no reading covers it. outside: nobody asked for it. list: the source is a list, and was not read then.
with $day_states,

streams as (
    select distinct account, stream from known where is_current
),

told as (
    select
        streams.account,
        calendar.day,
        coalesce(known.state, case when streams.account in $lists then 'list' else 'outside' end) as state
    from streams
    cross join calendar
    left join known
        on streams.account = known.account and streams.stream = known.stream and calendar.day = known.day
),

placed as (
    select
        *,
        row_number() over (
            partition by account, day
            order by
                case state
                    when 'short' then 1 when 'never' then 2 when 'open' then 3
                    when 'outside' then 4 when 'list' then 5 else 6
                end
        ) as place
    from told
)

select account, day, state
from placed
where place = 1
order by account collate "C", day
