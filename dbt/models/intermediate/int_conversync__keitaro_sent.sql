-- The tracker's conversions that we sent there ourselves: click and transaction are those of a row of the ledger that
-- arrived, or may have. What was sent to one account says nothing of another one's conversions.
with ledger as (
    select
        account,
        content ->> 'subid' as sub_id,
        content ->> 'tid' as tid
    from {{ ref('stg_conversync__sent_keitaro_conversions') }}
    where status in ('sent', 'in_doubt')
)

select distinct
    {{ conversync.account('keitaro', 'tracked') }} as account,
    tracked.conversion_id
from {{ ref('stg_conversync__keitaro_conversions') }} as tracked
-- Of a person who was forgotten neither side has the click any more.
inner join ledger
    on
        coalesce(tracked.sub_id, '') = coalesce(ledger.sub_id, '') and tracked.tid = ledger.tid
        {{ conversync.and_same_account('keitaro', 'tracked', 'ledger') }}
