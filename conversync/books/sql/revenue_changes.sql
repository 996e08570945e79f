-- Every change of what a conversion earned, a row for each conversion, moment and line of the books (day, currency,
-- offer): each state of it, worked out by the vendor's own view, less the state before. All of them add up to what the
-- view says now; those until a moment, to what it said then.
with recursive books_links as (
    select conversion, other from (
        $links
    ) as links
),

-- What is linked changes together: whatever is reached over any number of links.
books_linked as (
    select conversion, other from books_links
    union
    select other as conversion, conversion as other from books_links
    union
    select books_linked.conversion, further.other
    from books_linked
    inner join (
        select conversion, other from books_links
        union
        select other, conversion from books_links
    ) as further on books_linked.other = further.conversion
),

-- The few conversions that are more than one statement which tells it all. A count is always above 0: here and below it
-- tells DuckDB that these are few, and so which side of a join to keep.
books_several as (
    select conversion
    from (
        select conversion from books_linked
        union all
        $several
    ) as told
    group by conversion
    having count(*) > 0
),

books_own as (
    $moments
),

books_all as (
    select conversion, known_at from books_own
    union
    select books_linked.conversion, books_own.known_at
    from books_linked
    inner join books_own on books_linked.other = books_own.conversion
),

-- Those that changed. What is known of any other was known from the first moment on: what the view says of it now is
-- its one change, and nothing is grouped, sorted or kept for it.
books_changing as (
    select conversion
    from books_all
    group by conversion
    having count(*) > 1
),

books_moments as (
    select
        conversion,
        known_at,
        row_number() over (order by conversion, known_at) as number
    from books_all
    where conversion in (select conversion from books_changing)
    group by conversion, known_at
    having count(*) > 0
),

books_states as (
    $states
),

books_steps as (
    select
        moments.conversion,
        moments.known_at,
        states.conversion_id is not null as is_there,
        states.occurred_on,
        states.currency,
        states.offer_id,
        states.reversed_on,
        coalesce(states.gross_revenue, 0) as gross,
        coalesce(states.reversed_revenue, 0) as reversed,
        lag(states.conversion_id is not null) over earlier as was_there,
        lag(states.occurred_on) over earlier as occurred_on_before,
        lag(states.currency) over earlier as currency_before,
        lag(states.offer_id) over earlier as offer_id_before,
        coalesce(lag(states.gross_revenue) over earlier, 0) as gross_before,
        coalesce(lag(states.reversed_revenue) over earlier, 0) as reversed_before
    from books_moments as moments
    left join books_states as states on cast(moments.number as varchar) = states.conversion_id
    window earlier as (partition by moments.conversion order by moments.known_at)
),

books_judged as (
    select
        *,
        case
            when not is_there then 'withdrawn'
            when gross_before = 0 and reversed_before = 0 then 'late arrival'
            when
                gross = gross_before
                and reversed <> reversed_before
                and occurred_on = occurred_on_before
                and currency = currency_before
                and coalesce(offer_id, '') = coalesce(offer_id_before, '')
                then 'reversal'
            else 'restatement'
        end as reason
    from books_steps
),

books_lines as (
    select
        conversion, known_at, occurred_on, currency, offer_id, reason, reversed_on, gross, reversed
    from books_judged
    where is_there
    union all
    select
        conversion,
        known_at,
        occurred_on_before as occurred_on,
        currency_before as currency,
        offer_id_before as offer_id,
        reason,
        null as reversed_on,
        -gross_before as gross,
        -reversed_before as reversed
    from books_judged
    where was_there
),

books_changed as (
    select
        conversion,
        known_at,
        occurred_on,
        currency,
        offer_id,
        reason,
        max(reversed_on) as reversed_on,
        sum(gross) as gross,
        sum(reversed) as reversed
    from books_lines
    group by conversion, known_at, occurred_on, currency, offer_id, reason
    having sum(gross) <> 0 or sum(reversed) <> 0
),

-- All of a load has one moment, so that these are few as well: the day of each in the vendor's zone.
books_loads as (
    select
        known_at,
        cast(known_at at time zone $zone as date) as read_on,
        cast(known_at at time zone 'UTC' as date) as read_on_in_utc
    from (
        $instants
    ) as instants
    group by known_at
    having count(*) > 0
),

-- With the moment from which anything was known of each.
books_changes as (
    select
        present.conversion_id as conversion,
        present.first_seen_at as known_at,
        present.occurred_on,
        present.currency,
        present.offer_id,
        'late arrival' as reason,
        present.reversed_on,
        present.gross_revenue as gross,
        present.reversed_revenue as reversed,
        present.first_seen_at as first_known_at
    from (
        $present
    ) as present
    left join books_changing as changing on present.conversion_id = changing.conversion
    where changing.conversion is null and (present.gross_revenue <> 0 or present.reversed_revenue <> 0)
    union all
    select *, min(known_at) over (partition by conversion) as first_known_at
    from books_changed
),

-- Since when each day was read by anybody: what came with that reading may have been there for long.
books_days as (
    select
        days.occurred_on,
        min(to_timestamp(cast(w._dlt_load_id as double))) as first_read_at
    from (
        $days
    ) as days
    inner join windows as w on days.occurred_on between w.window_start and w.window_end
    inner join _dlt_loads as l on w._dlt_load_id = l.load_id
    where
        l.status = 0
        and w.stream = 'conversions'
        and (
            w.filters is null
            or not (
                cast(w.filters as varchar) like '%"user_id":%'
                or cast(w.filters as varchar) like '%"offer_id":%'
                or cast(w.filters as varchar) like '%"type":%'
            )
        )
    group by days.occurred_on
),

books_dated as (
    select
        changes.*,
        loads.read_on,
        coalesce(
            first_loads.read_on - changes.occurred_on > 2
            and changes.first_known_at <= days.first_read_at + interval '500 microseconds'
            and (
                changes.known_at = changes.first_known_at
                -- The same night reads reversals after conversions, in a load of its own.
                or (changes.reason = 'reversal' and loads.read_on_in_utc = first_loads.read_on_in_utc)
            ),
            false
        ) as is_backfilled
    from books_changes as changes
    left join books_loads as loads on changes.known_at = loads.known_at
    left join books_loads as first_loads on changes.first_known_at = first_loads.known_at
    left join books_days as days on changes.occurred_on = days.occurred_on
),

-- What was taken back of what was there before us has a day of its own, and where that is another one, a row.
books_apart as (
    select
        *,
        coalesce(is_backfilled and reversed <> 0 and reversed_on <> occurred_on, false) as is_taken_apart
    from books_dated
),

books_known as (
    select
        changes.conversion,
        changes.known_at,
        changes.occurred_on,
        changes.currency,
        changes.offer_id,
        case
            when rows.is_of_taken then changes.reversed_on
            when changes.is_backfilled then changes.occurred_on
            else changes.read_on
        end as known_on,
        changes.is_backfilled,
        changes.read_on,
        case
            when changes.is_backfilled and changes.reason = 'late arrival' then 'history' else changes.reason
        end as reason,
        case when rows.is_of_taken then 0 else changes.gross end as gross,
        case when rows.is_of_taken = changes.is_taken_apart then changes.reversed else 0 end as reversed
    from books_apart as changes
    inner join (
        select false as is_taken_apart, false as is_of_taken
        union all
        select true, false
        union all
        select true, true
    ) as rows on changes.is_taken_apart = rows.is_taken_apart
)

select
    cast(conversion as varchar) as conversion_id,
    known_at,
    occurred_on,
    currency,
    offer_id,
    known_on,
    is_backfilled,
    read_on,
    reason,
    cast(gross as decimal(18, 6)) as gross_change,
    cast(reversed as decimal(18, 6)) as reversed_change,
    cast(gross - reversed as decimal(18, 6)) as net_change
from books_known
where gross <> 0 or reversed <> 0
