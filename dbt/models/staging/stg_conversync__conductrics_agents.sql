{{ conversync.staged('conductrics', 'agents') }}
