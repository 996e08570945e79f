{{ conversync.staged('keitaro', 'conversion_events') }}
