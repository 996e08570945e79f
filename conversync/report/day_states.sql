known as (
    select * replace ($judged as state)
    from (
$days
    ) as days
),

calendar as (
    select cast(unnest(generate_series($first_day, $last_day, interval 1 day)) as date) as day
)
