{{ conversync.staged('keitaro', 'conversions') }}
