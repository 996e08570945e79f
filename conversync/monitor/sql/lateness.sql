-- How late reversals become known, one row: of conversions of equal age only. Of those days that were watched for
-- watched_days (half of the days that were read, at most 180), the reversals that became known within as many days; a
-- younger day may still have its late ones to come, and would make them look rare. Half is told of ten reversals and
-- more, 95 % of twenty, 99 % of a hundred, 99.9 % of a thousand.
with reversals as (
    $reversals
),

span as (
    select
        min(w.window_start) as first_day,
        max(least(w.window_end, cast(w.read_at at time zone $zone as date))) as last_day
    from windows as w
    inner join _dlt_loads as l on w._dlt_load_id = l.load_id
    where l.status = 0 and w.stream = 'conversions'
),

watch as (
    select
        first_day,
        last_day,
        least(180, cast(floor((last_day - first_day) / 2.0) as integer)) as watched_days
    from span
    where first_day is not null
),

cohort as (
    select reversals.days_until_known as days
    from reversals
    cross join watch
    where
        reversals.days_until_known <= watch.watched_days
        and watch.last_day - reversals.occurred_on >= watch.watched_days
),

measured as (
    select
        count(*) as reversals,
        percentile_disc(0.5) within group (order by days) as half,
        percentile_disc(0.95) within group (order by days) as most,
        percentile_disc(0.99) within group (order by days) as nearly_all,
        percentile_disc(0.999) within group (order by days) as all_but_few
    from cohort
),

known as (
    select
        count(*) as all_reversals,
        count(days_until_known) as dated_reversals,
        max(days_until_known) as latest_days
    from reversals
)

select
    cast(watch.watched_days as bigint) as watched_days,
    watch.last_day - watch.watched_days as watched_until,
    measured.reversals,
    case when measured.reversals >= 10 then measured.half end as days_for_half,
    case when measured.reversals >= 20 then measured.most end as days_for_95_percent,
    case when measured.reversals >= 100 then measured.nearly_all end as days_for_99_percent,
    case when measured.reversals >= 1000 then measured.all_but_few end as days_for_99_9_percent,
    known.all_reversals,
    known.dated_reversals,
    known.latest_days
from watch
cross join measured
cross join known
