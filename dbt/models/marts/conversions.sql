{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='conversion_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ conversync.remove_what_vanished(ref('int_conversions'), 'conversion_key') }}",
    )
}}
-- A row for every conversion of every vendor, as it stands now.
{{ conversync.only_what_changed(ref('int_conversions')) }}
