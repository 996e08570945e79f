-- The view of reversals knows each conversion that is called reversed, and no other.
select conversion_key
from {{ ref('conversync__conversions') }}
where not is_orphan and is_reversed <> (reversal_known_on is not null)
