"""Whether the warehouse can be relied on today: fresh, complete, nothing left open. Takes no lock, asks no vendor."""
