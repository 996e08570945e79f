{{ conversync.staged('besitos', 'revenue_changes') }}
