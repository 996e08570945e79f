{{ conversync.staged('infobip', 'days') }}
