{{ conversync.staged('conductrics', 'goal_history') }}
