-- One row a transaction of a mapped user that was not taken back whole when it was first sent: what Optibase counted it
-- counts for good. Needs the mapping table main.player_ids (user_key, ..., tested_user_external_id).
select
    '$dataset-' || cast(coalesce(wall.replaces, wall.transaction_id) as varchar) as send_key,
    '$conversion_id' as conversion_id,
    $external_id as tested_user_external_id,
    wall.occurred_on
from $dataset.conversions as wall
$player_ids
where
    not wall.is_orphan
    and not wall.is_reversed
    and $external_id is not null
order by wall.occurred_at, wall.transaction_id
