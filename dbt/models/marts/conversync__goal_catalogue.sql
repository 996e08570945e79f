-- Every goal there is or was, with its agents: the latest version of each.
{% if var('conversync__using_conductrics') %}
with versions as (
    select
        *,
        row_number() over (partition by account, code order by valid_from desc) as place
    from {{ ref('stg_conversync__conductrics_goal_history') }}
),

histories as (
    select
        account,
        code,
        count(*) as versions,
        min(valid_from) as first_seen_at,
        max(valid_from) as changed_at
    from versions
    group by account, code
),

goals as (
    select * from {{ ref('stg_conversync__conductrics_goals') }}
),

agents as (
    select
        goal_agents.account,
        goal_agents.code,
        count(*) as agents,
        {{ dbt.listagg('goal_agents.agent', "', '", 'order by goal_agents.agent collate "C"') }} as agent_codes,
        {{ dbt.listagg('coalesce(agents.name, goal_agents.agent)', "', '", 'order by goal_agents.agent collate "C"') }} as agent_names
    from {{ ref('stg_conversync__conductrics_goal_agents') }} as goal_agents
    left join {{ ref('stg_conversync__conductrics_agents') }} as agents
        on goal_agents.agent = agents.code and goal_agents.account = agents.account
    group by goal_agents.account, goal_agents.code
)

select
    versions.code,
    versions.name,
    goals.code is not null as is_current,
    versions.count_max,
    versions.value_min,
    versions.value_max,
    coalesce(agents.agents, 0) as agents,
    agents.agent_codes,
    agents.agent_names,
    histories.versions,
    histories.first_seen_at,
    histories.changed_at,
    case when goals.code is null then versions.valid_to end as deleted_at,
    versions.account
from versions
inner join histories on versions.code = histories.code and versions.account = histories.account
left join goals on versions.code = goals.code and versions.account = goals.account
left join agents on versions.code = agents.code and versions.account = agents.account
where versions.place = 1
{% else %}
{{ conversync.no_rows('conversync__goal_catalogue') }}
{% endif %}
