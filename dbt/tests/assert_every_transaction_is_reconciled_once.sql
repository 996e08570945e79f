-- Every transaction of the offerwall stands in the reconciliation exactly once, with its own amount.
with wall as (
    select account, transaction_id, gross_revenue
    from {{ ref('conversync__conversions') }}
    where vendor = 'besitos' and not is_orphan
),

reconciled as (
    select account, transaction_id, count(*) as times, min(offerwall_gross_revenue) as gross_revenue
    from {{ ref('conversync__reconciliation') }}
    where outcome not in ('missing at offerwall', 'offerwall not read')
    group by account, transaction_id
)

select coalesce(wall.transaction_id, reconciled.transaction_id) as transaction_id
from wall
full outer join reconciled
    on wall.transaction_id = reconciled.transaction_id and wall.account = reconciled.account
where
    wall.transaction_id is null
    or reconciled.transaction_id is null
    or reconciled.times <> 1
    or reconciled.gross_revenue <> wall.gross_revenue
