-- The tracker's conversions that we sent there ourselves: click and transaction are those of a row of the ledger that
-- arrived, or may have. Sends go to the tracker's first account.
with ledger as (
    select
        content ->> 'subid' as sub_id,
        content ->> 'tid' as tid
    from {{ ref('stg_conversync__sent_keitaro_conversions') }}
    where status in ('sent', 'in_doubt')
)

select distinct tracked.conversion_id
from {{ ref('stg_conversync__keitaro_conversions') }} as tracked
-- Of a person who was forgotten neither side has the click any more.
inner join ledger on coalesce(tracked.sub_id, '') = coalesce(ledger.sub_id, '') and tracked.tid = ledger.tid
where {{ conversync.account('keitaro', 'tracked') }} = 'keitaro'
