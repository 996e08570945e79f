{{ conversync.staged('besitos', 'conversions') }}
