-- What a day earned as it became known, day by day: a past day's figure as it was known on any later day is one sum over
-- known_on <= that day.
{%- if conversync.using(['besitos', 'keitaro']) %}
with changes as (
    {{ conversync.revenue_changes() }}
)

select
    account || ':' || cast(occurred_on as varchar) || ':' || cast(known_on as varchar) || ':' || currency
    || ':' || coalesce(offer_id, '') || ':' || cast(is_backfilled as varchar) as knowledge_key,
    vendor,
    occurred_on as earned_on,
    known_on,
    is_backfilled,
    currency,
    offer_id,
    cast(sum(gross_change) as numeric(18, 6)) as gross_change,
    cast(sum(reversed_change) as numeric(18, 6)) as reversed_change,
    cast(sum(net_change) as numeric(18, 6)) as net_change,
    account
from changes
group by vendor, account, occurred_on, known_on, is_backfilled, currency, offer_id
having sum(gross_change) <> 0 or sum(reversed_change) <> 0
{%- else %}
{{ conversync.no_rows('conversync__revenue_by_knowledge') }}
{%- endif %}
