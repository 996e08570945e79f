{{ conversync.staged('besitos', 'days') }}
