"""Optibase, an A/B tool: conversions of tested users are sent there; nothing is read."""
