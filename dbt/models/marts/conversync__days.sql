-- What is known of each day of each listing when the marts were built: the vendors' views `days`, in one table.
{% for vendor, rows in conversync.evidence_of('days').items() %}
select
    account || ':' || stream || ':' || cast(day as varchar) as day_key,
    '{{ vendor }}' as vendor,
    stream,
    day,
    state,
    missing,
    window_start,
    window_end,
    read_at,
    last_read,
    is_current,
    account
from {{ rows }}
{{ 'union all' if not loop.last }}
{% else %}
{{ conversync.no_rows('conversync__days') }}
{% endfor %}
