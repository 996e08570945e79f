{{ conversync.staged('besitos', 'reversals') }}
