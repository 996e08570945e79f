-- The days on which each list was read: a list has no days of its own, and every reading is all of it.
with readings as (
    select
        w.stream,
        cast(w.read_at at time zone 'UTC' as date) as day,
        w.window_start,
        w.window_end,
        w.read_at,
        row_number() over (
            partition by w.stream, cast(w.read_at at time zone 'UTC' as date) order by w.read_at desc
        ) as place,
        max(w.read_at) over (partition by w.stream) as last_read
    from windows as w
    inner join _dlt_loads as l on w._dlt_load_id = l.load_id
    where l.status = 0
)

select
    stream,
    day,
    'whole' as state,
    cast(0 as bigint) as missing,
    window_start,
    window_end,
    read_at,
    last_read,
    true as is_current
from readings
where place = 1
