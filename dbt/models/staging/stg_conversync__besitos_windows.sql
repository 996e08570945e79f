{{ conversync.staged('besitos', 'windows', whole_loads_only=true) }}
