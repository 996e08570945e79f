{{ conversync.staged('conductrics', 'goals') }}
