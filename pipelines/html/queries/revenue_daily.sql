-- Net revenue by day. The mean is that of the seven days up to it, where there are seven, without the unfinished last day.
select
    vendor,
    currency,
    occurred_on,
    conversions,
    reversals,
    gross_revenue,
    reversed_revenue,
    net_revenue,
    case
        when occurred_on < $last_day and occurred_on >= 6 + min(occurred_on) over (partition by vendor, currency)
            then round(
                sum(net_revenue) over (
                    partition by vendor, currency
                    order by occurred_on
                    range between interval 6 days preceding and current row
                ) / 7, 2
            )
    end as mean_of_seven_days
from marts.conversions_daily
where occurred_on between $first_day and $last_day
order by vendor, currency, occurred_on desc
