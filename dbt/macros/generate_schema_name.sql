{#-
  Where our models go. As a project of its own (`conversync build`, or dbt by hand in this folder) the schemas are called
  `staging`, `intermediate` and `marts`. In somebody's project it is theirs to say: by their own macro of this name, or
  else by dbt's rule, `<target schema>_conversync_marts`, so that a person, CI and production stay apart.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
{%- if project_name == 'conversync' -%}
    {{ (custom_schema_name or target.schema) | trim | replace('conversync_', '') }}
{%- else -%}
    {%- set theirs = context.get(project_name, {}).get('generate_schema_name', dbt.generate_schema_name) -%}
    {{ theirs(custom_schema_name, node) }}
{%- endif -%}
{%- endmacro %}
