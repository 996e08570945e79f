-- How many days back a night must read to hear of so many of all reversals: the vendors' views `lateness`.
{% for vendor in conversync.using(['besitos', 'keitaro']) %}
select
    '{{ vendor }}' as vendor,
    watched_days,
    watched_until,
    reversals,
    days_for_half,
    days_for_95_percent,
    days_for_99_percent,
    days_for_99_9_percent,
    all_reversals,
    dated_reversals,
    latest_days,
    account
from {{ ref('stg_conversync__' ~ vendor ~ '_lateness') }}
where all_reversals > 0
{{ 'union all' if not loop.last }}
{% else %}
{{ conversync.no_rows('conversync__reversal_lookback') }}
{% endfor %}
