{{ conversync.staged('besitos', 'withdrawn_events') }}
