-- What a period earned as it was known at a moment, a line for each currency, day and offer.
select
    currency,
    occurred_on,
    offer_id,
    cast(sum(gross_revenue) as decimal(18, 6)) as gross_revenue,
    cast(sum(reversed_revenue) as decimal(18, 6)) as reversed_revenue,
    cast(sum(net_revenue) as decimal(18, 6)) as net_revenue
from $vendor.revenue_as_of(cast(%s as timestamp with time zone)) as revenue
where occurred_on between cast(%s as date) and cast(%s as date)
group by currency, occurred_on, offer_id
having sum(gross_revenue) <> 0 or sum(reversed_revenue) <> 0
