-- What is known of the days of either side, as the vendors' views `days` say it now. `is_near` tells which days are those
-- of conversions, whatever the zone: of what is far from any, a night's new evidence changes nothing.
with days as (
    {%- for vendor in conversync.using(['besitos', 'keitaro']) %}
    select '{{ vendor }}' as vendor, account, stream, day, state
    from {{ ref('stg_conversync__' ~ vendor ~ '_days') }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        cast(null as varchar) as vendor,
        cast(null as varchar) as account,
        cast(null as varchar) as stream,
        cast(null as date) as day,
        cast(null as varchar) as state
    where false
    {%- endfor %}
),

span as (
    select
        min(occurred_on) - 2 as first_day,
        max(occurred_on) + 2 as last_day
    from {{ ref('conversync__conversions') }}
)

select
    days.*,
    coalesce(days.day between span.first_day and span.last_day, false) as is_near
from days
cross join span
