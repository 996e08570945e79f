-- When each reversal became known, a row a conversion that is taken back, wholly or in part: the one measure of lateness.
-- It is the day on which we first read of it; where it was there already at a late first look at its conversion (a
-- backfill), nobody knows that day, and the one by which the vendor dates it stands for it. A vendor that dates it by
-- the conversion's own time tells nothing of how late it came: days_until_known is null.
with reversed as (
    $reversed
),

seen as (
    select
        *,
        cast(reversed_at at time zone $zone as date) as stated_on,
        cast(reversal_seen_at at time zone $zone as date) as seen_on,
        cast(reversal_seen_at at time zone 'UTC' as date) > cast(first_seen_at at time zone 'UTC' as date)
        or cast(first_seen_at at time zone $zone as date) - occurred_on <= 2 as is_arrival_known
    from reversed
)

select
    conversion_id,
    occurred_on,
    reversed_at,
    first_seen_at,
    reversal_seen_at,
    is_arrival_known,
    case when is_arrival_known then seen_on else coalesce(stated_on, seen_on) end as known_on,
    case
        when is_arrival_known then greatest(seen_on - occurred_on, 0)
        when reversed_at <> occurred_at then greatest(stated_on - occurred_on, 0)
    end as days_until_known
from seen
