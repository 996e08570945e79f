{{ conversync.staged('besitos', 'offers') }}
