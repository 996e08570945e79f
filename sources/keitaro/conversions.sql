-- One row a conversion: what the tracker last said of it, and how its status came about.
-- Revenue is in `currency` where the tracker tells it: never sum across currencies. A rejected conversion keeps its
-- revenue, as the tracker does: leave out what is_rejected. `kind` is null where neither type nor status is known to us.
-- occurred_on is a day in keitaro_zone; a conversion that is posted again moves its time.
-- Each `with` is read once: what is read twice, DuckDB keeps row by row with all its columns, and so does whoever reads
-- this view. Only of conversions that were restated is there a history to be gone through.
with restated as (
    select conversion_id
    from conversion_events
    where valid_to is not null
    group by conversion_id
),

told as (
    select
        events.conversion_id,
        events.status,
        events.previous_status,
        events.original_status,
        events.valid_from,
        $kind as kind,
        lag(events.status) over (partition by events.conversion_id order by events.valid_from) as status_before,
        row_number() over (partition by events.conversion_id order by events.valid_from) as place
    from conversion_events as events
    inner join restated on events.conversion_id = restated.conversion_id
),

-- What stood before a statement: the one that we read before it, or, for the first, what the tracker tells of it. When
-- we learned that a conversion is rejected: the first statement that says so since it last stood.
steps as (
    select
        conversion_id,
        status,
        previous_status,
        valid_from,
        kind,
        place,
        case
            when place = 1 then coalesce(original_status, previous_status, status)
            else status_before
        end as status_before,
        max(case when kind is null or kind <> 'rejected' then valid_from end) over (partition by conversion_id)
            as stood_last
    from told
),

-- A status that changed unseen between two readings is told by the tracker as the previous one.
changed as (
    select
        *,
        status is distinct from status_before as is_change,
        status is distinct from status_before
            and previous_status is not null
            and previous_status is distinct from status_before
            and previous_status is distinct from status as is_leap,
        max(case when status is distinct from status_before then place end) over (partition by conversion_id)
            as last_change
    from steps
),

histories as (
    select
        conversion_id,
        max(case when place = 1 then status_before end) as first_status,
        max(case when place = last_change then status_before end) as status_before,
        sum(case when is_change then 1 else 0 end) + sum(case when is_leap then 1 else 0 end) as changes,
        min(valid_from) as first_seen_at,
        count(*) as statements,
        min(case when kind = 'rejected' and (stood_last is null or valid_from > stood_last) then valid_from end)
            as rejection_seen_at
    from changed
    group by conversion_id
    -- Always so; it tells DuckDB that these are few.
    having count(*) > 0
),

-- Of a conversion with one statement, that one tells all.
events as (
    select
        *,
        $kind as kind,
        coalesce(original_status, previous_status, status) as told_first,
        status is distinct from coalesce(original_status, previous_status, status) as is_change
    from conversion_events
    where valid_to is null
)

select
    events.conversion_id,
    events.status,
    case when histories.conversion_id is null then events.told_first else histories.first_status end as first_status,
    coalesce(
        events.previous_status,
        case
            when histories.conversion_id is not null then histories.status_before
            when events.is_change then events.told_first
        end
    ) as previous_status,
    cast(
        case
            when histories.conversion_id is not null then histories.changes
            when not events.is_change then 0
            when events.previous_status is not null
                and events.previous_status is distinct from events.told_first
                and events.previous_status is distinct from events.status then 2
            else 1
        end as bigint
    ) as changes,
    events.conversion_type,
    events.revenue,
    events.cost,
    events.currency,
    events.tid,
    events.sub_id,
    events.sub_id_1,
    events.sub_id_2,
    events.sub_id_3,
    events.sub_id_4,
    events.sub_id_5,
    events.sub_id_6,
    events.sub_id_7,
    events.sub_id_8,
    events.sub_id_9,
    events.sub_id_10,
    events.sub_id_11,
    events.sub_id_12,
    events.sub_id_13,
    events.sub_id_14,
    events.sub_id_15,
    events.campaign_id,
    events.offer_id,
    events.affiliate_network_id,
    events.ts_id,
    events.landing_id,
    events.country,
    events.click_datetime,
    events.sale_datetime,
    events.occurred_at,
    events.occurred_on,
    events.version,
    coalesce(histories.first_seen_at, events.valid_from) as first_seen_at,
    coalesce(histories.statements, 1) as statements,
    events.kind,
    coalesce(events.kind, '') = 'rejected' as is_rejected,
    case
        when histories.conversion_id is not null then histories.rejection_seen_at
        when events.kind = 'rejected' then events.valid_from
    end as rejection_seen_at
from events
left join histories on events.conversion_id = histories.conversion_id
