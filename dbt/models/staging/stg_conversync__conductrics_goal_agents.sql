{{ conversync.staged('conductrics', 'goal_agents') }}
