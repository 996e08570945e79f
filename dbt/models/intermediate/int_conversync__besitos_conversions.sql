-- Besitos' transactions in the shape of all conversions. What was taken back, what is left and what is odd about it is
-- the view's to say (besitos.conversions), and when it was known is that of besitos.reversals. A reversal whose
-- original we do not hold takes nothing from what we hold: its amount stands apart, in unmatched_reversal.
with transactions as (
    select * from {{ ref('stg_conversync__besitos_conversions') }}
),

reversals as (
    select * from {{ ref('stg_conversync__besitos_reversals') }}
)

select
    'besitos' as vendor,
    {{ conversync.account('besitos', 'transactions') }} || ':' || cast(transactions.transaction_id as varchar) as conversion_key,
    cast(transactions.transaction_id as varchar) as conversion_id,
    cast(transactions.transaction_id as varchar) as transaction_id,
    transactions.occurred_on,
    transactions.occurred_at,
    case
        when transactions.is_orphan then 'orphan'
        when transactions.is_reversed then 'reversed'
        else 'earned'
    end as status,
    transactions.currency,
    false as is_currency_assumed,
    cast(case when is_orphan then 0 else payout end as numeric(18, 6)) as gross_revenue,
    cast(case when is_orphan then 0 else coalesce(reversed_payout, 0) end as numeric(18, 6)) as reversed_revenue,
    cast(net_payout as numeric(18, 6)) as net_revenue,
    cast(case when is_orphan then 0 else reward end as numeric(18, 6)) as gross_cost,
    cast(case when is_orphan then 0 else coalesce(reversed_reward, 0) end as numeric(18, 6)) as reversed_cost,
    cast(net_reward as numeric(18, 6)) as net_cost,
    cast(case when is_orphan then coalesce(reversed_payout, 0) else 0 end as numeric(18, 6)) as unmatched_reversal,
    transactions.offer_id,
    transactions.offer_name,
    transactions.goal_id,
    transactions.type,
    transactions.user_id,
    transactions.user_key,
    transactions.is_reversed,
    transactions.is_orphan,
    transactions.is_over_reversed,
    transactions.reversal_payout_unknown as is_reversal_amount_unknown,
    transactions.reversed_at,
    transactions.first_seen_at,
    transactions.reversal_seen_at,
    {{ conversync.days_between('reversals.occurred_on', conversync.day_in('reversals.reversed_at', conversync.zone_of('besitos', 'reversals'))) }}
        as days_to_reversal,
    {{ conversync.days_until_seen('reversals', conversync.zone_of('besitos', 'reversals')) }} as days_until_seen,
    reversals.known_on as reversal_known_on,
    reversals.days_until_known,
    {{ conversync.account('besitos', 'transactions') }} as account
from transactions
left join reversals
    on cast(transactions.transaction_id as varchar) = reversals.conversion_id
    {{ conversync.and_same_account('besitos', 'transactions', 'reversals') }}
