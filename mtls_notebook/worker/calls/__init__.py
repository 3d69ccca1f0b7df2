"""Requests to a named worker: how they may be written, many at once, and the rows that they end in."""
