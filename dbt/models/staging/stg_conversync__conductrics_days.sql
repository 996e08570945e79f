{{ conversync.staged('conductrics', 'days') }}
