-- Every reversal of a conversion that we hold belongs to the cohort of the day on which it was earned.
with cohorts as (
    select coalesce(sum(reversals), 0) as reversals, coalesce(sum(reversed_revenue), 0) as reversed_revenue
    from {{ ref('conversync__reversal_cohorts') }}
),

conversions as (
    select count(*) as reversals, coalesce(sum(reversed_revenue), 0) as reversed_revenue
    from {{ ref('conversync__conversions') }}
    where is_reversed and not is_orphan
)

select * from cohorts
cross join conversions
where cohorts.reversals <> conversions.reversals or cohorts.reversed_revenue <> conversions.reversed_revenue
