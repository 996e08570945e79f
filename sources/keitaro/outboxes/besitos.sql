-- One row a transaction of a mapped user: a sale with what is left of its payout, and, taken back whole, a rejected
-- one. Its tid is the transaction, so content that changed is an update there. Needs the mapping table
-- main.player_ids (user_key, subid, ...): Besitos knows no click. Reversals without an original are no conversion.
select
    '$dataset-' || cast(coalesce(wall.replaces, wall.transaction_id) as varchar) as send_key,
    $subid as subid,
    case
        when wall.is_reversed and (
            wall.net_payout <= 0
            or (wall.reversal_payout_unknown and abs(wall.reversed_reward) >= abs(wall.reward))
        ) then 'rejected'
        else 'sale'
    end as status,
    case
        when wall.is_reversed and (
            wall.net_payout <= 0
            or (wall.reversal_payout_unknown and abs(wall.reversed_reward) >= abs(wall.reward))
        ) then wall.payout
        else wall.net_payout
    end as payout,
    'USD' as currency,
    cast(coalesce(wall.replaces, wall.transaction_id) as varchar) as tid,
    wall.occurred_on
from $dataset.conversions as wall
$player_ids
where not wall.is_orphan and $subid is not null
order by wall.occurred_at, wall.transaction_id
