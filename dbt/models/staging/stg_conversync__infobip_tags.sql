{{ conversync.staged('infobip', 'tags') }}
