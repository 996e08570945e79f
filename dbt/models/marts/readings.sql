-- The evidence of every reading whose load was committed: which days were asked for, and whether all rows came.
{% for vendor in ('besitos', 'infobip', 'conductrics', 'keitaro') %}
select
    '{{ vendor }}' as vendor,
    stream,
    window_start,
    window_end,
    read_at,
    filters,
    announced,
    received,
    statements,
    rejected,
    rejected_new,
    coalesce(missing, greatest(announced - received, 0), 0) as missing,
    coalesce(missing, greatest(announced - received, 0), 0) > 0 as is_short,
    note
from {{ ref('stg_' ~ vendor ~ '__windows') }}
{{ 'union all' if not loop.last }}
{% endfor %}
