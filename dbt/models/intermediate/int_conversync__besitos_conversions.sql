-- Besitos' transactions in the shape of all conversions, and the arithmetic of reversals.
-- On every row gross - reversed = net. A reversal whose original we do not hold takes nothing from what we hold: its
-- amount stands apart, in unmatched_reversal. A reversal without a payout counts as 0 and is flagged. A reversal of
-- more than was earned leaves a negative net, and is flagged.
with transactions as (
    select * from {{ ref('stg_conversync__besitos_conversions') }}
),

amounts as (
    select
        *,
        case when is_orphan then 0 else payout end as gross_revenue,
        case when is_orphan then 0 else coalesce(reversed_payout, 0) end as reversed_revenue,
        case when is_orphan then 0 else reward end as gross_cost,
        case when is_orphan then 0 else coalesce(reversed_reward, 0) end as reversed_cost,
        case when is_orphan then coalesce(reversed_payout, 0) else 0 end as unmatched_reversal
    from transactions
),

days as (
    select
        transaction_id,
        {{ conversync.days_between('occurred_on', conversync.day_in('reversed_at', var('besitos_zone'))) }}
            as days_to_reversal,
        {{ conversync.days_between('occurred_on', conversync.day_in('reversal_seen_at', var('besitos_zone'))) }}
            as days_until_seen,
        -- When a reversal came is known only if it was not there at the first look, or if that look was early.
        {{ conversync.day_in('reversal_seen_at', 'UTC') }} > {{ conversync.day_in('first_seen_at', 'UTC') }}
        or {{ conversync.days_between('occurred_on', conversync.day_in('first_seen_at', var('besitos_zone'))) }} <= 2
            as is_arrival_known
    from transactions
    where is_reversed and not is_orphan
)

select
    'besitos' as vendor,
    'besitos:' || cast(amounts.transaction_id as varchar) as conversion_key,
    cast(amounts.transaction_id as varchar) as conversion_id,
    cast(amounts.transaction_id as varchar) as transaction_id,
    amounts.occurred_on,
    amounts.occurred_at,
    case when amounts.is_orphan then 'orphan' when amounts.is_reversed then 'reversed' else 'earned' end as status,
    amounts.currency,
    false as is_currency_assumed,
    cast(amounts.gross_revenue as numeric(18, 6)) as gross_revenue,
    cast(amounts.reversed_revenue as numeric(18, 6)) as reversed_revenue,
    cast(amounts.gross_revenue - amounts.reversed_revenue as numeric(18, 6)) as net_revenue,
    cast(amounts.gross_cost as numeric(18, 6)) as gross_cost,
    cast(amounts.reversed_cost as numeric(18, 6)) as reversed_cost,
    cast(amounts.gross_cost - amounts.reversed_cost as numeric(18, 6)) as net_cost,
    cast(amounts.unmatched_reversal as numeric(18, 6)) as unmatched_reversal,
    amounts.offer_id,
    amounts.offer_name,
    amounts.goal_id,
    amounts.type,
    amounts.user_id,
    amounts.user_key,
    amounts.is_reversed,
    amounts.is_orphan,
    abs(amounts.reversed_revenue) > abs(amounts.gross_revenue)
    or abs(amounts.reversed_cost) > abs(amounts.gross_cost) as is_over_reversed,
    amounts.reversal_payout_unknown as is_reversal_amount_unknown,
    amounts.reversed_at,
    amounts.first_seen_at,
    amounts.reversal_seen_at,
    days.days_to_reversal,
    case when days.is_arrival_known then days.days_until_seen end as days_until_seen
from amounts
left join days on amounts.transaction_id = days.transaction_id
