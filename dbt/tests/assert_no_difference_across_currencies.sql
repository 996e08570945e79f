-- A difference is stated only where both sides are in the same currency.
select transaction_id
from {{ ref('conversync__reconciliation') }}
where
    (gross_difference is not null or net_difference is not null)
    and (offerwall_currency is null or tracker_currency is null or offerwall_currency <> tracker_currency)
