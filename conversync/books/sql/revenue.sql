-- A row a conversion in the shape of the books, of all vendors alike.
select
    $id as conversion_id,
    $also
    occurred_on,
    occurred_at,
    $currency as currency,
    cast(offer_id as varchar) as offer_id,
    cast($gross as decimal(18, 6)) as gross_revenue,
    cast($reversed as decimal(18, 6)) as reversed_revenue,
    cast($gross as decimal(18, 6)) - cast($reversed as decimal(18, 6)) as net_revenue,
    cast($reversed_on as date) as reversed_on
from (
$rows
) as conversions
