{{ conversync.staged('infobip', 'conversion_times') }}
