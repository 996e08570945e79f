-- What became known of a closed period after it was closed, a row for each conversion and change of it.
{%- if conversync.using(['besitos', 'keitaro']) %}
with changes as (
    {{ conversync.revenue_changes() }}
),

periods as (
    {{ conversync.closed_periods() }}
)

select
    periods.period,
    changes.vendor,
    periods.account,
    changes.currency,
    changes.conversion_id as transaction_id,
    changes.occurred_on,
    changes.offer_id,
    changes.read_on as known_on,
    changes.known_at,
    cast(sum(changes.gross_change) as numeric(18, 6)) as gross_change,
    cast(sum(changes.reversed_change) as numeric(18, 6)) as reversed_change,
    cast(sum(changes.net_change) as numeric(18, 6)) as net_change,
    changes.reason
from changes
inner join periods
    on changes.vendor = periods.vendor
    and changes.account = periods.account
    and changes.occurred_on between periods.first_day and periods.last_day
    and changes.known_at > periods.known_until
group by
    periods.period,
    changes.vendor,
    periods.account,
    changes.currency,
    changes.conversion_id,
    changes.occurred_on,
    changes.offer_id,
    changes.read_on,
    changes.known_at,
    changes.reason
having sum(changes.gross_change) <> 0 or sum(changes.reversed_change) <> 0
{%- else %}
{{ conversync.no_rows('conversync__corrections') }}
{%- endif %}
