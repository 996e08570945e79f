-- All changes of a day, currency and offer add up to what its conversions are known to have earned now.
with amounts as (
    select
        vendor,
        occurred_on,
        currency,
        coalesce(offer_id, '') as offer_id,
        gross_revenue as gross,
        reversed_revenue as reversed
    from {{ ref('conversync__conversions') }}
    union all
    select
        vendor,
        earned_on as occurred_on,
        currency,
        coalesce(offer_id, '') as offer_id,
        -gross_change as gross,
        -reversed_change as reversed
    from {{ ref('conversync__revenue_by_knowledge') }}
)

select vendor, occurred_on, currency, offer_id, sum(gross) as gross, sum(reversed) as reversed
from amounts
group by vendor, occurred_on, currency, offer_id
having sum(gross) <> 0 or sum(reversed) <> 0
