-- A tracker's conversion nets its revenue, or nothing where the tracker rejected it; every one is there, once.
{{ config(enabled=var('conversync__using_keitaro')) }}
with ours as (
    select account, conversion_id, net_revenue
    from {{ ref('conversync__conversions') }}
    where vendor = 'keitaro'
),

theirs as (
    select
        account,
        conversion_id,
        case when is_rejected then 0 else coalesce(revenue, 0) end as net_revenue
    from {{ ref('stg_conversync__keitaro_conversions') }}
)

select coalesce(ours.conversion_id, theirs.conversion_id) as conversion_id
from ours
full outer join theirs
    on ours.conversion_id = theirs.conversion_id {{ conversync.and_same_account('keitaro', 'ours', 'theirs') }}
where ours.conversion_id is null or theirs.conversion_id is null or ours.net_revenue <> theirs.net_revenue
