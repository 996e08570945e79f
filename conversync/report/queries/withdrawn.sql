-- Conversions that their vendor serves no more, though it was asked for all of their day. They stay in the figures
-- unless a setting takes them out.
select source, count(*) as conversions, min(withdrawn_at) as first_missed, max(withdrawn_at) as last_missed
from (
$withdrawn
) as withdrawn
group by source
order by source collate "C"
