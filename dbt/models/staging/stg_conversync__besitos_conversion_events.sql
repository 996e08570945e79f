{{ conversync.staged('besitos', 'conversion_events') }}
