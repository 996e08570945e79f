-- One row a transaction: what it earned, what of it was taken back, and what is left.
-- Money is in `currency`, except the *_local_currency columns (points or coins). occurred_on is a day in the vendor's zone.
-- A reversed_* amount is the sum of its reversals', with the original's sign; net_* is the difference, never clamped.
-- Each `with` is read once: what is read twice, DuckDB keeps row by row with all its columns, and so does whoever reads
-- this view. What is always so (a count above 0) tells it that these rows are few, and which of two sides to keep.
-- Of an event that was never restated there is nothing earlier to add up.
with earlier_originals as (
    select
        event_key,
        min(valid_from) as first_seen_at,
        count(*) as statements
    from conversion_events
    where valid_to is not null and not is_reversal
    group by event_key
),

-- The vendor gave some events other ids: of each transaction that counts now, as which the event was first read.
first_ids as (
    select
        replaced_by,
        transaction_id,
        first_seen_at,
        row_number() over (partition by replaced_by order by first_seen_at, transaction_id) as place
    from (
        select
            replaced.replaced_by,
            replaced.transaction_id,
            min(event.valid_from) as first_seen_at
        from (select * from withdrawn_events where replaced_by is not null) as replaced
        inner join conversion_events as event on replaced.event_key = event.event_key
        group by replaced.replaced_by, replaced.transaction_id
    ) as seen
),

originals as (
    select
        current_event.*,
        least(current_event.valid_from, earlier.first_seen_at) as first_seen_at,
        1 + coalesce(earlier.statements, 0) as statements,
        withdrawn_events.withdrawn_at,
        case
            when first_ids.first_seen_at < least(current_event.valid_from, earlier.first_seen_at)
                then first_ids.transaction_id
        end as replaces
    from conversion_events as current_event
    left join earlier_originals as earlier on current_event.event_key = earlier.event_key
    left join withdrawn_events on current_event.event_key = withdrawn_events.event_key
    left join first_ids on current_event.transaction_id = first_ids.replaced_by and first_ids.place = 1
    where current_event.valid_to is null
        and not current_event.is_reversal
        and withdrawn_events.replaced_by is null
        and ($withdrawn_counts or withdrawn_events.withdrawn_at is null)
),

-- By transaction: of those that an earlier version held, a closed one's key may have a reward that stands no more.
earlier_reversals as (
    select
        transaction_id,
        min(valid_from) as first_seen_at,
        count(*) as statements
    from conversion_events
    where valid_to is not null and is_reversal
    group by transaction_id
),

-- A reversal that still names an id which was replaced takes from the transaction that counts.
reversal_events as (
    select
        current_event.*,
        coalesce(replaced.replaced_by, current_event.transaction_id) as taken_from,
        case when replaced.replaced_by is null then 0 else 1 end as is_moved,
        least(current_event.valid_from, earlier.first_seen_at) as first_seen_at,
        coalesce(earlier.statements, 0) as earlier_statements,
        withdrawn_events.withdrawn_at
    from conversion_events as current_event
    left join earlier_reversals as earlier on current_event.transaction_id = earlier.transaction_id
    left join withdrawn_events on current_event.event_key = withdrawn_events.event_key
    left join (
        select
            transaction_id,
            replaced_by
        from withdrawn_events
        where replaced_by is not null
    ) as replaced on current_event.transaction_id = replaced.transaction_id
    where current_event.valid_to is null
        and current_event.is_reversal
        and (replaced.replaced_by is null or withdrawn_events.withdrawn_at is null)
        and ($withdrawn_counts or withdrawn_events.withdrawn_at is null)
),

-- A reversal that the vendor serves no more gave way to another one of its transaction that was still served then:
-- that one counts alone, whatever becomes of it. Where nothing took its place, it stays as it was last stated.
served as (
    select
        *,
        max(case when withdrawn_at is null then 1 else 0 end) over (partition by taken_from) as is_any_served,
        max(withdrawn_at) over (partition by taken_from) as withdrawn_last,
        max(coalesce(currency, 'USD')) over (partition by taken_from) as currency_of_all,
        max(case when withdrawn_at is null and is_moved = 0 then 1 else 0 end) over (partition by taken_from)
            as is_its_own_served,
        count(*) over (partition by taken_from) as of_transaction
    from reversal_events
),

taken as (
    select
        r.*,
        r.withdrawn_at is null or (r.is_any_served = 0 and r.withdrawn_at = r.withdrawn_last) as is_counted,
        -- One in another currency than its original takes nothing from it; one that tells none is in the original's.
        coalesce(r.currency, o.currency, 'USD') <> coalesce(o.currency, r.currency_of_all) as is_foreign
    from (select * from served where of_transaction > 0 and (is_moved = 0 or is_its_own_served = 0)) as r
    -- Of their originals only what tells in which currency they are.
    left join (
        select
            current_event.transaction_id,
            coalesce(current_event.currency, 'USD') as currency
        from conversion_events as current_event
        left join withdrawn_events on current_event.event_key = withdrawn_events.event_key
        where current_event.valid_to is null
            and not current_event.is_reversal
            and ($withdrawn_counts or withdrawn_events.withdrawn_at is null)
    ) as o on r.taken_from = o.transaction_id
),

reversals as (
    select
        taken_from as transaction_id,
        min(event_key) as event_key,
        min(user_id) as user_id,
        min(user_key) as user_key,
        min(offer_id) as offer_id,
        min(offer_name) as offer_name,
        min(goal_id) as goal_id,
        min(note) as note,
        min(type) as type,
        min(survey_id) as survey_id,
        max(coalesce(currency, 'USD')) as currency,
        min(occurred_at) as occurred_at,
        min(occurred_on) as occurred_on,
        cast(sum(case when is_counted and not is_foreign then abs(payout) end) as decimal(18, 6)) as payout,
        cast(
            coalesce(sum(case when is_counted and not is_foreign then abs(reward) end), 0) as decimal(18, 6)
        ) as reward,
        cast(sum(case when is_counted and not is_foreign then abs(reward_local_currency) end) as decimal(18, 6)) as reward_local_currency,
        sum(case when is_counted and payout is null then 1 else 0 end) as without_payout,
        sum(case when is_counted then 1 else 0 end) as reversals,
        max(case when is_foreign then 1 else 0 end) as is_foreign,
        max(case when is_counted then 0 else 1 end) as is_replaced,
        max(case when is_counted then withdrawn_at end) as withdrawn_at,
        min(first_seen_at) as first_seen_at,
        count(*) + max(earlier_statements) as statements
    from taken
    group by taken_from
    having count(*) > 0
),

-- What a partial reversal takes of the payout, where it is set to: its share of the reward, rounded to six places. The
-- second division is of what the first one, which some databases make in double precision, has left over. Amounts are
-- one digit wider here: DuckDB would multiply two of 18 digits within 18.
joined as (
    select
        coalesce(o.transaction_id, r.transaction_id) as transaction_id,
        coalesce(o.user_id, r.user_id) as user_id,
        coalesce(o.user_key, r.user_key) as user_key,
        coalesce(o.offer_id, r.offer_id) as offer_id,
        coalesce(o.offer_name, r.offer_name) as offer_name,
        coalesce(o.goal_id, r.goal_id) as goal_id,
        coalesce(o.note, r.note) as note,
        coalesce(o.type, r.type) as type,
        coalesce(o.survey_id, r.survey_id) as survey_id,
        coalesce(o.occurred_at, r.occurred_at) as occurred_at,
        coalesce(o.occurred_on, r.occurred_on) as occurred_on,
        coalesce(o.currency, case when o.event_key is null then r.currency end, 'USD') as currency,
        o.payout,
        o.reward,
        o.reward_local_currency,
        r.payout as taken_payout,
        r.reward as taken_reward,
        r.reward_local_currency as taken_reward_local_currency,
        o.payout is not null and r.event_key is not null and coalesce(r.payout, 0) = 0 as is_payout_left,
        r.event_key is not null as is_reversed,
        o.event_key is null as is_orphan,
        r.occurred_at as reversed_at,
        o.first_seen_at,
        r.first_seen_at as reversal_seen_at,
        coalesce(o.statements, 0) + coalesce(r.statements, 0) as statements,
        coalesce(r.reversals, 0) as reversals,
        coalesce(r.without_payout, 0) > 0 and not ($reversal_takes_payout and coalesce(r.payout, 0) = 0)
            as is_payout_unknown,
        coalesce(r.is_foreign, 0) = 1 as is_reversal_in_other_currency,
        coalesce(r.is_replaced, 0) = 1 as is_reversal_replaced,
        coalesce(o.withdrawn_at, r.withdrawn_at) as withdrawn_at,
        o.replaces
    from originals as o
    full outer join reversals as r on o.transaction_id = r.transaction_id
),

wide as (
    select
        *,
        case when $reversal_takes_payout and is_payout_left then cast(payout as decimal(19, 6)) end as wide_payout,
        case when $reversal_takes_payout and is_payout_left then cast(nullif(abs(reward), 0) as decimal(19, 6)) end as wide_reward,
        case when $reversal_takes_payout and is_payout_left then cast(taken_reward as decimal(19, 6)) end as wide_taken
    from joined
),

nearly as (
    select
        *,
        case when $reversal_takes_payout then cast(wide_payout * wide_taken / wide_reward as decimal(19, 6)) end as share
    from wide
),

paired as (
    select
        *,
        case
            when $reversal_takes_payout and is_payout_left
                then case
                    when taken_reward = abs(reward) then payout
                    when reward = 0 then taken_payout
                    else cast(
                        share
                        + cast((wide_payout * wide_taken - share * wide_reward) / wide_reward as decimal(19, 6))
                        as decimal(18, 6)
                    )
                end
            when payout < 0 then -taken_payout
            else taken_payout
        end as reversed_payout,
        case when reward < 0 then -taken_reward else taken_reward end as reversed_reward,
        case
            when reward_local_currency < 0 then -taken_reward_local_currency
            else taken_reward_local_currency
        end as reversed_reward_local_currency
    from nearly
)

select
    transaction_id,
    user_id,
    user_key,
    offer_id,
    offer_name,
    goal_id,
    note,
    type,
    survey_id,
    occurred_at,
    occurred_on,
    payout,
    reward,
    reward_local_currency,
    reversed_payout,
    reversed_reward,
    reversed_reward_local_currency,
    case when is_orphan then 0 else payout - coalesce(reversed_payout, 0) end as net_payout,
    case when is_orphan then 0 else reward - coalesce(reversed_reward, 0) end as net_reward,
    case
        when is_orphan then 0
        else reward_local_currency - coalesce(reversed_reward_local_currency, 0)
    end as net_reward_local_currency,
    is_reversed,
    is_orphan,
    is_reversed and (reversed_payout is null or is_payout_unknown) as reversal_payout_unknown,
    occurred_at > coalesce(first_seen_at, reversal_seen_at) + interval '1 day' as is_future_dated,
    not is_orphan and is_reversed and (
        abs(coalesce(reversed_payout, 0)) > abs(payout) or abs(reversed_reward) > abs(reward)
    ) as is_over_reversed,
    reversed_at,
    first_seen_at,
    reversal_seen_at,
    statements,
    currency,
    cast(reversals as bigint) as reversals,
    is_reversal_replaced,
    is_reversal_in_other_currency,
    withdrawn_at,
    replaces
from paired
