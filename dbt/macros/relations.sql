{#-
  Relations without their catalog, which on DuckDB is called as the file is: a view that names it would fail wherever
  the file is called otherwise, as a copy for readers may be, or is attached under another name.
-#}
{% macro ref() %}
{%- do return(builtins.ref(*varargs, **kwargs).include(database=false)) -%}
{% endmacro %}

{% macro source() %}
{%- do return(builtins.source(*varargs).include(database=false)) -%}
{% endmacro %}
