-- Every transaction of the offerwall stands in the reconciliation exactly once, with its own amount.
{%- set wall %}
    select account, transaction_id, gross_revenue
    from {{ ref('conversync__conversions') }}
    where vendor = 'besitos' and not is_orphan
{%- endset %}
{%- set reconciled %}
    select account, transaction_id, offerwall_gross_revenue as gross_revenue
    from {{ ref('conversync__reconciliation') }}
    where outcome not in ('missing at offerwall', 'offerwall not read')
{%- endset %}
{%- set differ = conversync.may_differ(wall, reconciled, ['account', 'transaction_id', 'gross_revenue']) %}
select coalesce(wall.transaction_id, reconciled.transaction_id) as transaction_id
from (select * from ({{ wall }}) as told where {{ differ }}) as wall
full outer join (
    select account, transaction_id, count(*) as times, min(gross_revenue) as gross_revenue
    from ({{ reconciled }}) as told
    where {{ differ }}
    group by account, transaction_id
) as reconciled
    on wall.transaction_id = reconciled.transaction_id and wall.account = reconciled.account
where
    wall.transaction_id is null
    or reconciled.transaction_id is null
    or reconciled.times <> 1
    or reconciled.gross_revenue <> wall.gross_revenue
