-- On every row what was earned, less what was taken back, is what is left.
select conversion_key
from {{ ref('conversync__conversions') }}
where gross_revenue - reversed_revenue <> net_revenue or gross_cost - reversed_cost <> net_cost
