{{ conversync.staged('keitaro', 'reversals') }}
