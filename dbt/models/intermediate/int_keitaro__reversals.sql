-- When we learned that a tracker's conversion was rejected: the first rejecting statement since it last stood.
with statements as (
    select
        conversion_id,
        valid_from,
        {{ conversync.is_rejected('status') }} as is_rejected
    from {{ ref('stg_keitaro__conversion_events') }}
),

stood as (
    select
        conversion_id,
        max(valid_from) as stood_last
    from statements
    where not is_rejected
    group by conversion_id
)

select
    statements.conversion_id,
    min(statements.valid_from) as reversal_seen_at
from statements
left join stood on statements.conversion_id = stood.conversion_id
where statements.is_rejected and (stood.stood_last is null or statements.valid_from > stood.stood_last)
group by statements.conversion_id
