{{ conversync.staged('besitos', 'deals') }}
