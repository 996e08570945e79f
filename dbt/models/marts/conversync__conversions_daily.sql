{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='daily_key',
        on_schema_change='append_new_columns',
        post_hook="{{ conversync.remove_what_vanished(ref('int_conversync__conversions_daily'), 'daily_key') }}",
    )
}}
-- A row for every vendor's day and currency; only days whose figures changed are written.
{{ conversync.only_what_changed(ref('int_conversync__conversions_daily')) }}
