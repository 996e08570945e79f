{#-
  The relations of one table of evidence (`windows`, `days`), by vendor: the staging models of those that are on, and the
  tables themselves of vendors that somebody else's package added (`conversync__others`), of loads that are whole.
-#}
{% macro evidence_of(table) %}
{%- set found = {} -%}
{%- for vendor in conversync.using(['besitos', 'infobip', 'conductrics', 'keitaro']) -%}
{%- do found.update({vendor: ref('stg_conversync__' ~ vendor ~ '_' ~ table)}) -%}
{%- endfor -%}
{%- for vendor in var('conversync__others') -%}
{%- if table == 'windows' -%}
{%- set whole = 'select load_id from ' ~ vendor ~ '._dlt_loads where status = 0' -%}
{%- set columns = 'stream, window_start, window_end, read_at, cast(filters as varchar) as filters, announced, received, '
    ~ 'statements, rejected, rejected_new, missing, note' -%}
{%- set whose = ", cast('" ~ vendor ~ "' as varchar) as account" -%}
{%- set rows = '(select ' ~ columns ~ whose ~ ' from ' ~ vendor ~ '.windows where _dlt_load_id in (' ~ whole ~ ')) as ' ~ vendor -%}
{%- else -%}
{%- set rows = '(select *, cast(' ~ "'" ~ vendor ~ "'" ~ ' as varchar) as account from ' ~ vendor ~ '.' ~ table ~ ') as ' ~ vendor -%}
{%- endif -%}
{%- do found.update({vendor: rows}) -%}
{%- endfor -%}
{%- do return(found) -%}
{% endmacro %}
