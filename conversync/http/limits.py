"""How long, how much and how often a client goes before it gives up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Every bound of a `Client`; times in seconds, sizes in bytes. Tests use tiny ones."""

    connect_timeout: float = 10.0
    """For one address, TLS handshake included. Three lost SYNs take 7 s; more is a dead host."""

    read_timeout: float = 60.0
    """Without one byte. A wide report may be computed for half a minute before its first byte (but see below)."""

    request_deadline: float = 120.0
    """For the whole of a request, headers and body: a byte a second must not hold up a night."""

    body_bytes: int = 24 * 1024 * 1024
    """Of one decoded body. A thousand rows are 0.3 MB; vendors that ignore the size of a page send a month at once.

    With what is made of it, a run stays under 512 MB; so do many of them (see `page_decoder.MOST_OF_ROW`)."""

    objects: int = 200_000
    """Objects and lists of one body, counted before any is built: an empty one takes 3 bytes on the way, 250 here."""

    values: int = 1_000_000
    """Values of one body, counted likewise: 66,000 rows of 15 fields, where a thousand rows were asked for."""

    large_bytes: int = 2 * 1024 * 1024
    """Bodies that are larger are read and decoded one at a time, however many requests are out."""

    ratio: int = 250
    """Decoded to sent. Rows of JSON reach 10 to 50; a bomb has 1,000."""

    attempts: int = 50
    """For one request. The budgets end sooner; this stands against a vendor that fails at once for ever."""

    refused_budget: float = 45.0
    """Since the vendor could last be reached. With the last attempt's timeout: a minute for a dead vendor."""

    restart: float = 5.0
    """So long a vendor that cannot be reached is waited for at least: what restarts is back by then."""

    distrust_attempts: int = 3
    """How often an answer that cannot be trusted is asked for again, by all threads together."""

    distrust_window: float = 60.0
    """... within so many seconds. A wrong address or a changed format does not heal by asking."""

    http_budget: float = 600.0
    """In which requests were held up by 429, 5xx, resets or timeouts: since the last answer that came, of one request,
    and, but for 429, of all that came to nothing in a run of a source (see `patience.Account`).

    Pages that keep coming are no vendor that stays away: a slow night ends by `attempts`, or by being done."""

    short_budget: float = 5.0
    """The same while a client is hurried: what fails then is likely to do so for good, at a vendor that is there."""

    least_patience: float = 10.0
    """So long a request is waited for at least, whatever is left of the budget; a tenth of the budget, if that is more.

    With the usual budget a report may be computed for a minute at any time; who sets 3 s does not wait for it."""

    backoff: float = 0.5
    """Upper bound of the first wait; each next doubles, and the wait is random below it."""

    backoff_cap: float = 30.0
    """Upper bound of any wait of our own: some twenty attempts fit in the budget."""

    retry_after_cap: float = 300.0
    """The longest `Retry-After` that is believed: half of the budget."""

    worth_a_line: float = 5.0
    """Who waits for longer, within a request or between two, is told what for, and until when."""

    once_idle: float = 1.0
    """A request that may go out once takes no connection idle for longer: the vendor may be closing it."""

    @property
    def reach_budget(self) -> float:
        """Seconds for a vendor that cannot be reached: no more than for one that answers 5xx, but for a restart."""
        return min(self.refused_budget, max(self.http_budget, self.restart))

    @property
    def reserve(self) -> float:
        """Seconds beside the budget, for what is asked once a request was given up: it may have taken all of it."""
        return self.http_budget / 10
