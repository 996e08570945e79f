-- How late reversals become known, and of how many that is said: of days that were watched equally long.
select * exclude (dated_reversals)
from marts.reversal_lookback
where latest_days is not null
order by reversals desc, account
