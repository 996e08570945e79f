{{ conversync.staged('keitaro', 'revenue_changes') }}
