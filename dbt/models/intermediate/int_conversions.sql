-- All vendors' conversions in one shape: what the mart `conversions` holds, computed anew.
with conversions as (
    select * from {{ ref('int_besitos__conversions') }}
    union all
    select * from {{ ref('int_keitaro__conversions') }}
),

reversals as (
    select 'besitos:' || conversion_id as conversion_key, known_on, days_until_known
    from {{ ref('stg_besitos__reversals') }}
    union all
    select 'keitaro:' || conversion_id as conversion_key, known_on, days_until_known
    from {{ ref('stg_keitaro__reversals') }}
),

sent as (
    select 'keitaro:' || conversion_id as conversion_key from {{ ref('int_keitaro__sent') }}
)

select
    conversions.*,
    reversals.known_on as reversal_known_on,
    reversals.days_until_known,
    sent.conversion_key is not null as is_sent_by_us
from conversions
left join reversals on conversions.conversion_key = reversals.conversion_key
left join sent on conversions.conversion_key = sent.conversion_key
