-- The tracker's conversions in the shape of all conversions. A rejected one keeps its revenue in the tracker: here it
-- is gross and reversed alike. The tracker moves the time of a conversion that is posted again, so occurred_on is the
-- day of its last posting; when it was rejected is not told, only when we saw it.
with conversions as (
    select
        *,
        is_rejected as is_reversed,
        coalesce(revenue, 0) as gross_revenue,
        coalesce(cost, 0) as spent,
        rejection_seen_at as reversal_seen_at
    from {{ ref('stg_conversync__keitaro_conversions') }}
),

-- Of the list of offers nothing else: each night tells there when it was last seen.
offer_names as (
    select account, id, name from {{ ref('stg_conversync__keitaro_offers') }}
),

reversals as (
    select * from {{ ref('stg_conversync__keitaro_reversals') }}
)

select
    'keitaro' as vendor,
    {{ conversync.account('keitaro', 'conversions') }} || ':' || conversions.conversion_id as conversion_key,
    conversions.conversion_id,
    tid as transaction_id,
    conversions.occurred_on,
    conversions.occurred_at,
    coalesce(status, 'unknown') as status,
    upper(coalesce(nullif(currency, ''), '{{ var("keitaro_currency") }}')) as currency,
    coalesce(currency, '') = '' as is_currency_assumed,
    cast(gross_revenue as numeric(18, 6)) as gross_revenue,
    cast(case when is_reversed then gross_revenue else 0 end as numeric(18, 6)) as reversed_revenue,
    cast(case when is_reversed then 0 else gross_revenue end as numeric(18, 6)) as net_revenue,
    cast(spent as numeric(18, 6)) as gross_cost,
    cast(0 as numeric(18, 6)) as reversed_cost,
    cast(spent as numeric(18, 6)) as net_cost,
    cast(0 as numeric(18, 6)) as unmatched_reversal,
    cast(conversions.offer_id as varchar) as offer_id,
    offer_names.name as offer_name,
    cast(null as varchar) as goal_id,
    conversion_type as type,
    cast(null as varchar) as user_id,
    cast(null as varchar) as user_key,
    is_reversed,
    false as is_orphan,
    false as is_over_reversed,
    is_reversed and revenue is null as is_reversal_amount_unknown,
    cast(null as timestamp with time zone) as reversed_at,
    conversions.first_seen_at,
    conversions.reversal_seen_at,
    cast(null as bigint) as days_to_reversal,
    {{ conversync.days_until_seen('reversals', conversync.zone_of('keitaro', 'reversals')) }} as days_until_seen,
    reversals.known_on as reversal_known_on,
    reversals.days_until_known,
    {{ conversync.account('keitaro', 'conversions') }} as account
from conversions
left join offer_names
    on conversions.offer_id = offer_names.id {{ conversync.and_same_account('keitaro', 'conversions', 'offer_names') }}
left join reversals
    on conversions.conversion_id = reversals.conversion_id
    {{ conversync.and_same_account('keitaro', 'conversions', 'reversals') }}
