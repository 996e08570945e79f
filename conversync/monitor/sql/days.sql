-- What is known of each day of each stream, up to today in its zone: the one place where completeness is worked out.
-- whole: the latest reading that covers the day from its beginning to its end got all rows. short: it lacks some, how
-- many stands in `missing`, or cannot be shown to have all (0). never: no reading covers it. due: it is over, and its
-- stream has not come since. open: it is not over.
-- A reading covers its days but the last one, of which nobody knows whether it was over; a day that was not over where
-- the vendor is tells nothing, nor does a reading that was narrowed by user, offer or type, nor one whose load was not
-- committed. The latest reading is that of the latest load, whatever the clocks said. A stream that was ever read up to
-- its present is expected to go on. Of a stream that was not, days that a load set out to read are expected, too.
with digits as (
    select 0 as n union all select 1 union all select 2 union all select 3 union all select 4 union all
    select 5 union all select 6 union all select 7 union all select 8 union all select 9
),

numbers as (
    select a.n + 10 * b.n + 100 * c.n + 1000 * d.n as n
    from digits as a cross join digits as b cross join digits as c cross join digits as d
),

committed as (
    select w.*, $zone as zone, $is_current as is_current
    from windows as w
    inner join _dlt_loads as l on w._dlt_load_id = l.load_id
    where l.status = 0
),

readings as (
    select
        stream,
        zone,
        is_current,
        window_start,
        window_end,
        read_at,
        _dlt_load_id as load_id,
        cast(read_at at time zone zone as date) as read_on,
        coalesce(missing, greatest(announced - received, 0), 0) > 0 as is_short,
        case
            when announced > coalesce(statements, received) + coalesce(rejected, 0) - coalesce(superseded, 0) then coalesce(missing, announced - received)
            else 0
        end as missing
    from committed
    where
        filters is null
        or not (
            cast(filters as varchar) like '%"user_id":%'
            or cast(filters as varchar) like '%"offer_id":%'
            or cast(filters as varchar) like '%"type":%'
        )
),

streams as (
    select
        stream,
        max(zone) as zone,
        bool_and(is_current) as is_current,
        min(window_start) as first_day,
        max(least(window_end, read_on)) - 1 as last_covered,
        max(case when window_end >= read_on and read_at <= now() then read_on end) as present_on,
        max(case when window_end >= read_on and read_at <= now() then read_at end) as present_at,
        max(read_at) as read_at
    from readings
    group by stream
),

spans as (
    select
        stream,
        is_current,
        first_day,
        case when is_current then present_on end as followed_on,
        case
            when is_current and present_on is not null then cast(now() at time zone zone as date)
            else last_covered
        end as last_day,
        coalesce(present_at, read_at) as last_read
    from streams
),

planned as (
    $planned
),

expected as (
    select stream, is_current, first_day, last_day from spans
    union all
    select
        w.stream,
        $is_current,
        w.first_day,
        case when spans.followed_on is not null then least(w.last_day, spans.last_day) else w.last_day end
    from planned as w
    left join spans on w.stream = spans.stream
),

calendar as (
    select distinct
        expected.stream,
        coalesce(spans.is_current, expected.is_current) as is_current,
        spans.followed_on,
        spans.last_day,
        spans.last_read,
        expected.first_day + numbers.n as day
    from expected
    inner join numbers on numbers.n <= expected.last_day - expected.first_day
    left join spans on expected.stream = spans.stream
),

covered as (
    select
        calendar.stream,
        calendar.day,
        readings.is_short,
        readings.missing,
        readings.window_start,
        readings.window_end,
        readings.read_at,
        row_number() over (
            partition by calendar.stream, calendar.day
            order by readings.load_id desc, readings.read_at desc, readings.window_start desc
        ) as place
    from calendar
    inner join readings
        on calendar.stream = readings.stream
        and calendar.day >= readings.window_start
        and calendar.day < readings.window_end
        and calendar.day < readings.read_on
    where calendar.followed_on is null or calendar.day < calendar.last_day
)

select
    calendar.stream,
    calendar.day,
    case
        when covered.is_short then 'short'
        when not covered.is_short then 'whole'
        when calendar.followed_on is not null and calendar.day = calendar.last_day then 'open'
        when calendar.day >= calendar.followed_on then 'due'
        else 'never'
    end as state,
    coalesce(greatest(covered.missing, 0), 0) as missing,
    covered.window_start,
    covered.window_end,
    covered.read_at,
    calendar.last_read,
    calendar.is_current
from calendar
left join covered
    on calendar.stream = covered.stream and calendar.day = covered.day and covered.place = 1
