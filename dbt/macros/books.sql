{#-
  Every change of what a conversion earned, of all vendors; on a warehouse that no load of this version has written to,
  none.
-#}
{% macro revenue_changes() %}
{%- for vendor in conversync.using(['besitos', 'keitaro']) %}
select '{{ vendor }}' as vendor, changes.* from {{ ref('stg_conversync__' ~ vendor ~ '_revenue_changes') }} as changes
{{ 'union all' if not loop.last }}
{%- endfor %}
{% endmacro %}

{#- The rows of one of the tables that `conversync close` writes, with these columns (name, type); none before that. -#}
{% macro closed(table, columns) %}
{%- set held = adapter.get_relation(database=target.database, schema=var('books_dataset'), identifier=table) if execute -%}
select
    {%- for name, type in columns %}
    cast({{ name if held else 'null' }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- if held %}
from {{ held.include(database=false) }}
{%- else %}
where false
{%- endif %}
{% endmacro %}

{#- The closed periods, those that were opened again left out. -#}
{% macro closed_periods() %}
select * from (
    {{ conversync.closed('periods', [
        ('period', 'varchar'), ('vendor', 'varchar'), ('account', 'varchar'), ('closing', 'bigint'),
        ('first_day', 'date'), ('last_day', 'date'), ('known_until', 'timestamp with time zone'),
        ('reopened_at', 'timestamp with time zone'),
    ]) }}
) as periods
where reopened_at is null
{% endmacro %}

{#- Made at the end of a run: what the mart `conversions` said of revenue at a moment, of all vendors that can tell. -#}
{% macro make_conversions_as_of() %}
{%- if execute and flags.WHICH in ('run', 'build') -%}
{%- set place = graph.nodes['model.conversync.conversync__conversions'].schema -%}
{%- set selects = [] -%}
{%- for vendor in conversync.using(['besitos', 'keitaro']) -%}
{%- for account, dataset in conversync.accounts_of(vendor).items() if conversync.can_tell(dataset) -%}
{%- do selects.append(
    "select cast('" ~ vendor ~ "' as varchar) as vendor, told.*, cast('" ~ account ~ "' as varchar) as account from "
    ~ dataset ~ '.revenue_as_of(moment) as told'
) -%}
{%- endfor -%}
{%- endfor -%}
{%- if selects -%}
{{ conversync.function_of_a_moment(place ~ '.conversions_as_of', selects | join(' union all ')) }}
{%- endif -%}
{%- endif -%}
{% endmacro %}

{#- Whether a loader of this version wrote the dataset, and the project's mart is there. -#}
{% macro can_tell(dataset) %}
{%- set query -%}
{%- if target.type == 'duckdb' -%}
select count(*) from duckdb_functions() where schema_name = '{{ dataset }}' and function_name = 'revenue_as_of'
{%- else -%}
select count(*) from information_schema.routines where routine_schema = '{{ dataset }}' and routine_name = 'revenue_as_of'
{%- endif -%}
{%- endset -%}
{%- do return(run_query(query).columns[0].values()[0] > 0) -%}
{% endmacro %}

{% macro function_of_a_moment(name, query) %}
{%- if target.type == 'duckdb' -%}
create or replace macro {{ name }}(moment) as table {{ query }}
{%- else -%}
{#- PostgreSQL gives a function no other columns. -#}
{%- set before = "select coalesce((select pg_get_function_result(oid) not like '%account%' from pg_proc where oid = to_regprocedure('"
    ~ name ~ "(timestamptz)')), false)" -%}
{%- if run_query(before).columns[0].values()[0] %}
drop function {{ name }}(timestamp with time zone);
{% endif -%}
create or replace function {{ name }}(moment timestamp with time zone) returns table (
    vendor varchar, conversion_id varchar, occurred_on date, occurred_at timestamp with time zone, currency varchar,
    offer_id varchar, gross_revenue numeric, reversed_revenue numeric, net_revenue numeric, reversed_on date,
    account varchar
) language sql stable as $conversync${{ query }}$conversync$
{%- endif -%}
{% endmacro %}
