{{ conversync.staged('sent', 'keitaro_conversions', whole_loads_only=true, of='keitaro') }}
