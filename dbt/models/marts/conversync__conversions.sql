-- A row for every conversion of every vendor, as it stands now.
select * from {{ ref('int_conversync__conversions') }}
