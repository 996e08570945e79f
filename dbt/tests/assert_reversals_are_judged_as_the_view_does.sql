-- Each Besitos conversion is called orphan, over-reversed or of unknown amount exactly as besitos.conversions calls it.
{{ config(enabled=var('conversync__using_besitos')) }}
{%- set judged = ['conversion_id', 'is_orphan', 'is_reversed', 'is_over_reversed', 'is_reversal_amount_unknown', 'net_revenue', 'account'] %}
{%- set ours %}
    select {{ judged | join(', ') }}
    from {{ ref('conversync__conversions') }}
    where vendor = 'besitos'
{%- endset %}
{%- set theirs %}
    select
        cast(transactions.transaction_id as varchar) as conversion_id,
        transactions.is_orphan,
        transactions.is_reversed,
        transactions.is_over_reversed,
        transactions.reversal_payout_unknown as is_reversal_amount_unknown,
        cast(transactions.net_payout as numeric(18, 6)) as net_revenue,
        {{ conversync.account('besitos', 'transactions') }} as account
    from {{ ref('stg_conversync__besitos_conversions') }} as transactions
{%- endset %}
{%- set differ = conversync.may_differ(ours, theirs, judged) %}
select ours.conversion_id
from (select * from ({{ ours }}) as told where {{ differ }}) as ours
inner join (select * from ({{ theirs }}) as told where {{ differ }}) as theirs
    on ours.conversion_id = theirs.conversion_id and ours.account = theirs.account
where
    ours.is_orphan <> theirs.is_orphan
    or ours.is_reversed <> theirs.is_reversed
    or ours.is_over_reversed <> theirs.is_over_reversed
    or ours.is_reversal_amount_unknown <> theirs.is_reversal_amount_unknown
    or ours.net_revenue <> theirs.net_revenue
