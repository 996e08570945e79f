{{ conversync.staged('keitaro', 'windows', whole_loads_only=true) }}
