{{ conversync.staged('infobip', 'windows', whole_loads_only=true) }}
