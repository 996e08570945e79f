{{ conversync.staged('keitaro', 'campaigns') }}
