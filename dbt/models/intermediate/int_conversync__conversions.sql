-- All vendors' conversions in one shape: what the mart `conversions` holds, computed anew.
{%- set vendors = conversync.using(['besitos', 'keitaro']) %}
{%- if vendors %}
with conversions as (
    {%- for vendor in vendors %}
    select * from {{ ref('int_conversync__' ~ vendor ~ '_conversions') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)
{%- if conversync.using(['keitaro', 'sent']) | length == 2 %},

sent as (
    select account || ':' || conversion_id as conversion_key from {{ ref('int_conversync__keitaro_sent') }}
)
{%- set is_sent = 'sent.conversion_key is not null' %}
{%- endif %}

select
    conversions.*,
    {{ is_sent | default('false') }} as is_sent_by_us
from conversions
{%- if is_sent %}
left join sent on conversions.conversion_key = sent.conversion_key
{%- endif %}
{%- else %}
{{ conversync.no_rows('conversync__conversions') }}
{%- endif %}
