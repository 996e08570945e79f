{{ conversync.staged('keitaro', 'days') }}
