"""Sending rows of the warehouse to a vendor, each of them once, with books that prove it.

`run.send` is the whole of it: `outbox` reads the rows, `plan` decides which go, `sender` sends them, `journal` is the
local book in which every request stands before it goes out, `ledger` the table `sent.<vendor>_<what>`.
"""
