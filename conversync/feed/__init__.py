"""A vendor by declaration: listings of numbered pages, asked for by days, whose rows state events.

A vendor of this kind is its settings, its tables, the questions it is asked and what its pages say; all else follows:
the dlt source, the steps of a run, `check`, the views of days and lateness, what `verify` compares.
"""

from conversync.feed.settings import NEEDED as NEEDED
from conversync.feed.settings import FeedSettings as FeedSettings
from conversync.feed.stream import Stream as Stream
from conversync.feed.vendor import feed_vendor as feed_vendor
