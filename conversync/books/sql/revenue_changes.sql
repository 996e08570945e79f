-- Every change of what a conversion earned, a row for each conversion, moment and line of the books (day, currency,
-- offer): each state of it, worked out by the vendor's own view, less the state before. All of them add up to what the
-- view says now; those until a moment, to what it said then.
with recursive books_own as (
    $moments
),

books_links as (
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

books_all as (
    select conversion, known_at from books_own
    union
    select books_linked.conversion, books_own.known_at
    from books_linked
    inner join books_own on books_linked.other = books_own.conversion
),

-- Most conversions never change: what is known of them now was known from the first moment on.
books_counted as (
    select conversion, min(known_at) as known_at, count(*) as moments
    from books_all
    group by conversion
),

books_moments as (
    select
        books_all.conversion,
        books_all.known_at,
        row_number() over (order by books_all.conversion, books_all.known_at) as number
    from books_all
    inner join books_counted on books_all.conversion = books_counted.conversion and books_counted.moments > 1
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
        counted.conversion,
        counted.known_at,
        present.occurred_on,
        present.currency,
        present.offer_id,
        'late arrival' as reason,
        present.reversed_on,
        present.gross_revenue as gross,
        present.reversed_revenue as reversed
    from books_counted as counted
    inner join (
        $present
    ) as present on cast(counted.conversion as varchar) = present.conversion_id
    where counted.moments = 1
    union all
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

books_changes as (
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

-- Since when each day was read by anybody: what came with that reading may have been there for long.
books_days as (
    select
        days.occurred_on,
        min(to_timestamp(cast(w._dlt_load_id as double))) as first_read_at
    from (select distinct occurred_on from books_changes) as days
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

books_first as (
    select
        conversion,
        min(known_at) as known_at
    from books_changes
    group by conversion
),

books_dated as (
    select
        changes.*,
        cast(changes.known_at at time zone $zone as date) as read_on,
        coalesce(
            cast(first.known_at at time zone $zone as date) - changes.occurred_on > 2
            and first.known_at <= days.first_read_at + interval '500 microseconds'
            and (
                changes.known_at = first.known_at
                -- The same night reads reversals after conversions, in a load of its own.
                or (
                    changes.reason = 'reversal'
                    and cast(changes.known_at at time zone 'UTC' as date) = cast(first.known_at at time zone 'UTC' as date)
                )
            ),
            false
        ) as is_backfilled
    from books_changes as changes
    inner join books_first as first on changes.conversion = first.conversion
    left join books_days as days on changes.occurred_on = days.occurred_on
),

-- What was taken back of what was there before us has a day of its own.
books_known as (
    select
        conversion, known_at, read_on, occurred_on, currency, offer_id, reason, is_backfilled,
        case when is_backfilled then occurred_on else read_on end as known_on,
        gross,
        case when is_backfilled then 0 else reversed end as reversed
    from books_dated
    union all
    select
        conversion, known_at, read_on, occurred_on, currency, offer_id, reason, is_backfilled,
        coalesce(reversed_on, occurred_on) as known_on,
        0 as gross,
        reversed
    from books_dated
    where is_backfilled
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
    cast(sum(gross) as decimal(18, 6)) as gross_change,
    cast(sum(reversed) as decimal(18, 6)) as reversed_change,
    cast(sum(gross) - sum(reversed) as decimal(18, 6)) as net_change
from books_known
group by conversion, known_at, occurred_on, currency, offer_id, known_on, is_backfilled, read_on, reason
having sum(gross) <> 0 or sum(reversed) <> 0
