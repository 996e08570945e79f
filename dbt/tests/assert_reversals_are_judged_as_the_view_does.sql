-- Each Besitos conversion is called orphan, over-reversed or of unknown amount exactly as besitos.conversions calls it.
{{ config(enabled=var('conversync__using_besitos')) }}
select conversions.conversion_key
from {{ ref('conversync__conversions') }} as conversions
inner join {{ ref('stg_conversync__besitos_conversions') }} as view_row
    on conversions.conversion_id = cast(view_row.transaction_id as varchar)
    {{ conversync.and_same_account('besitos', 'conversions', 'view_row') }}
where
    conversions.vendor = 'besitos'
    and (
        conversions.is_orphan <> view_row.is_orphan
        or conversions.is_reversed <> view_row.is_reversed
        or conversions.is_over_reversed <> view_row.is_over_reversed
        or conversions.is_reversal_amount_unknown <> view_row.reversal_payout_unknown
        or conversions.net_revenue <> view_row.net_payout
    )
