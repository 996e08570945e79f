{{ conversync.staged('conductrics', 'windows', whole_loads_only=true) }}
