"""The books: what was said of a month, what is known of it now, and why the two differ.

`histories.py` makes of a vendor's view what it said at any moment, and every change of it; `closing.py` seals a period,
`lines.py` adds up, `explained.py` tells why.
"""
