{{ conversync.staged('keitaro', 'report_daily') }}
