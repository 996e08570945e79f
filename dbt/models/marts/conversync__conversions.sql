{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='conversion_key',
        on_schema_change='append_new_columns',
        post_hook="{{ conversync.remove_what_vanished(ref('int_conversync__conversions'), 'conversion_key') }}",
    )
}}
-- A row for every conversion of every vendor, as it stands now.
{{ conversync.only_what_changed(ref('int_conversync__conversions')) }}
