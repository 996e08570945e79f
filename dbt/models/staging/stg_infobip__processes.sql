{{ conversync.staged('infobip', 'processes') }}
