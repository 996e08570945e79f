{{ conversync.staged('besitos', 'lateness') }}
