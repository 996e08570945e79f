{{ conversync.staged('keitaro', 'lateness') }}
