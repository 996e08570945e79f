{{ conversync.staged('keitaro', 'offers') }}
