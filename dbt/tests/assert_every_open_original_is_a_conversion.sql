-- No statement of Besitos is lost between the log and the mart, and none is counted twice.
with stated as (
    select count(*) as originals
    from {{ ref('stg_besitos__conversion_events') }}
    where valid_to is null and not is_reversal
),

held as (
    select count(*) as conversions
    from {{ ref('conversions') }}
    where vendor = 'besitos' and not is_orphan
)

select * from stated
cross join held
where stated.originals <> held.conversions
