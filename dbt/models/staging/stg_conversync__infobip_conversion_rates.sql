{{ conversync.staged('infobip', 'conversion_rates') }}
