-- The offerwall's side of the reconciliation: a row a transaction. An orphan reversal is no transaction of its own.
select
    transaction_id,
    occurred_on,
    occurred_at,
    currency,
    gross_revenue,
    net_revenue,
    is_reversed,
    offer_id,
    offer_name,
    account
from {{ ref('conversync__conversions') }}
where vendor = 'besitos' and not is_orphan
