-- What became known of the days of a period after a moment, a line for each conversion and change.
select
    currency,
    conversion_id as transaction_id,
    occurred_on,
    offer_id,
    read_on as known_on,
    known_at,
    reason,
    cast(sum(gross_change) as decimal(18, 6)) as gross_change,
    cast(sum(reversed_change) as decimal(18, 6)) as reversed_change,
    cast(sum(net_change) as decimal(18, 6)) as net_change
from $vendor.revenue_changes
where
    known_at > cast(%s as timestamp with time zone)
    and known_at <= cast(%s as timestamp with time zone)
    and occurred_on between cast(%s as date) and cast(%s as date)
group by currency, conversion_id, occurred_on, offer_id, read_on, known_at, reason
having sum(gross_change) <> 0 or sum(reversed_change) <> 0
order by known_at, conversion_id, occurred_on, currency, offer_id
