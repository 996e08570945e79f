-- The evidence of every reading whose load was committed: which days were asked for, and whether all rows came.
{% for vendor, rows in conversync.evidence_of('windows').items() %}
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
    note,
    account
from {{ rows }}
{{ 'union all' if not loop.last }}
{% else %}
{{ conversync.no_rows('conversync__readings') }}
{% endfor %}
