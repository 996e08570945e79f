-- One row a conversion: what the tracker last said of it, and how its status came about.
-- Revenue is in `currency` where the tracker tells it: never sum across currencies. A rejected conversion keeps its
-- revenue, as the tracker does: leave out what is_rejected. `kind` is null where neither type nor status is known to us.
-- occurred_on is a day in keitaro_zone; a conversion that is posted again moves its time.
with told as (
    select
        conversion_id,
        status,
        previous_status,
        original_status,
        valid_from,
        $kind as kind,
        lag(status) over (partition by conversion_id order by valid_from) as status_before,
        row_number() over (partition by conversion_id order by valid_from) as place
    from conversion_events
),

-- What stood before a statement: the one that we read before it, or, for the first, what the tracker tells of it.
steps as (
    select
        conversion_id,
        status,
        previous_status,
        valid_from,
        place,
        case
            when place = 1 then coalesce(original_status, previous_status, status)
            else status_before
        end as status_before
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
            and previous_status is distinct from status as is_leap
    from steps
),

histories as (
    select
        conversion_id,
        max(case when place = 1 then status_before end) as first_status,
        max(case when is_change then place end) as last_change,
        sum(case when is_change then 1 else 0 end) + sum(case when is_leap then 1 else 0 end) as changes,
        min(valid_from) as first_seen_at,
        count(*) as statements
    from changed
    group by conversion_id
),

-- When we learned that a conversion is rejected: the first statement that says so since it last stood.
stood as (
    select
        conversion_id,
        max(valid_from) as stood_last
    from told
    where kind is null or kind <> 'rejected'
    group by conversion_id
),

rejections as (
    select
        told.conversion_id,
        min(told.valid_from) as rejection_seen_at
    from told
    left join stood on told.conversion_id = stood.conversion_id
    where told.kind = 'rejected' and (stood.stood_last is null or told.valid_from > stood.stood_last)
    group by told.conversion_id
),

events as (
    select
        *,
        $kind as kind
    from conversion_events
    where valid_to is null
)

select
    events.conversion_id,
    events.status,
    histories.first_status,
    coalesce(events.previous_status, last_step.status_before) as previous_status,
    cast(histories.changes as bigint) as changes,
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
    histories.first_seen_at,
    histories.statements,
    events.kind,
    coalesce(events.kind, '') = 'rejected' as is_rejected,
    rejections.rejection_seen_at
from events
inner join histories on events.conversion_id = histories.conversion_id
left join changed as last_step
    on histories.conversion_id = last_step.conversion_id and histories.last_change = last_step.place
left join rejections on events.conversion_id = rejections.conversion_id
