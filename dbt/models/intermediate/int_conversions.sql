-- All vendors' conversions in one shape: what the mart `conversions` holds, computed anew.
select * from {{ ref('int_besitos__conversions') }}
union all
select * from {{ ref('int_keitaro__conversions') }}
