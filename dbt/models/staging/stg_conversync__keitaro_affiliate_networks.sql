{{ conversync.staged('keitaro', 'affiliate_networks') }}
