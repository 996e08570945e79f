-- Every goal there is, and those that are gone.
select code, name, agents, agent_names, is_current, changed_at, deleted_at
from marts.goal_catalogue
order by is_current desc nulls last, name collate "C", code collate "C"
