-- The offerwall held against the tracker, a row for every transaction that either knows. Differences are the
-- offerwall's amount less the tracker's, and only where both are in the same currency. That one side lacks a transaction
-- is said only of a day that this side was read whole (the vendors' views `days`); else it was not read.
{%- if conversync.accounts_of('besitos') | length > 1 %}
-- The tracker does not know the offerwall's accounts. Where two of them have one id, its conversions are held against
-- that whose amount they have, else against the first: each once.
{%- endif %}
with tracker as (
    select * from {{ ref('int_conversync__reconciliation_tracker') }}
),

wall as (
    {%- if conversync.accounts_of('besitos') | length > 1 %}
    select
        sides.*,
        row_number() over (
            partition by sides.transaction_id
            order by
                case when sides.currency = tracker.currency and sides.gross_revenue = tracker.gross_revenue then 0 else 1 end,
                sides.account
        ) as place
    from {{ ref('int_conversync__reconciliation_offerwall') }} as sides
    left join tracker on sides.transaction_id = tracker.transaction_id
    {%- else %}
    select * from {{ ref('int_conversync__reconciliation_offerwall') }}
    {%- endif %}
),

whole_days as (
    -- By all accounts of the side: what another one holds, nobody knows.
    select days.vendor, days.day
    from {{ ref('int_conversync__reconciliation_days') }} as days
    inner join (
        select vendor, count(distinct account) as accounts
        from {{ ref('int_conversync__reconciliation_days') }}
        where stream = 'conversions'
        group by vendor
    ) as sides on days.vendor = sides.vendor
    where days.stream = 'conversions' and days.state = 'whole' and days.is_near
    group by days.vendor, days.day
    having count(*) = max(sides.accounts)
),

joined as (
    select
        coalesce(wall.transaction_id, tracker.transaction_id) as transaction_id,
        coalesce(wall.occurred_on, tracker.occurred_on) as occurred_on,
        -- The days under which each side would file it: the tracker's log is read by UTC days.
        coalesce(wall.occurred_on, {{ conversync.day_in('tracker.occurred_at', "'" ~ var('besitos_zone') ~ "'") }}) as offerwall_day,
        {{ conversync.day_in('coalesce(tracker.occurred_at, wall.occurred_at)', "'UTC'") }} as tracker_day,
        wall.account,
        wall.offer_id,
        wall.offer_name,
        wall.transaction_id is not null as is_at_offerwall,
        tracker.transaction_id is not null as is_in_tracker,
        coalesce(tracker.tracker_conversions, 0) as tracker_conversions,
        wall.currency as offerwall_currency,
        tracker.currency as tracker_currency,
        tracker.is_currency_assumed as is_tracker_currency_assumed,
        wall.gross_revenue as offerwall_gross_revenue,
        tracker.gross_revenue as tracker_gross_revenue,
        wall.net_revenue as offerwall_net_revenue,
        tracker.net_revenue as tracker_net_revenue,
        wall.is_reversed as is_reversed_at_offerwall,
        tracker.is_reversed as is_reversed_in_tracker
    from wall
    full outer join tracker
        on wall.transaction_id = tracker.transaction_id
        {%- if conversync.accounts_of('besitos') | length > 1 %} and wall.place = 1{% endif %}
),

compared as (
    select
        joined.*,
        wall_read.day is not null as is_offerwall_read,
        tracker_read.day is not null as is_tracker_read,
        case when offerwall_currency = tracker_currency then offerwall_gross_revenue - tracker_gross_revenue end
            as gross_difference,
        case when offerwall_currency = tracker_currency then offerwall_net_revenue - tracker_net_revenue end
            as net_difference
    from joined
    left join whole_days as wall_read
        on wall_read.vendor = 'besitos' and joined.offerwall_day = wall_read.day
    left join whole_days as tracker_read
        on tracker_read.vendor = 'keitaro' and joined.tracker_day = tracker_read.day
)

select
    transaction_id,
    occurred_on,
    case
        when not is_in_tracker and not is_tracker_read then 'tracker not read'
        when not is_in_tracker then 'missing in tracker'
        when not is_at_offerwall and not is_offerwall_read then 'offerwall not read'
        when not is_at_offerwall then 'missing at offerwall'
        when gross_difference is null then 'currencies differ'
        -- A tracker that was told of a partial reversal holds what is left as its amount.
        when net_difference = 0 and is_reversed_at_offerwall and not is_reversed_in_tracker then 'matched'
        when gross_difference <> 0 then 'amounts apart'
        when net_difference <> 0 then 'reversal apart'
        else 'matched'
    end as outcome,
    is_offerwall_read and is_tracker_read as is_read_by_both,
    offer_id,
    offer_name,
    offerwall_currency,
    tracker_currency,
    is_tracker_currency_assumed,
    tracker_conversions,
    offerwall_gross_revenue,
    tracker_gross_revenue,
    cast(gross_difference as numeric(18, 6)) as gross_difference,
    offerwall_net_revenue,
    tracker_net_revenue,
    cast(net_difference as numeric(18, 6)) as net_difference,
    is_reversed_at_offerwall,
    is_reversed_in_tracker,
    account
from compared
