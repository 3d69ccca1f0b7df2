"""What the bytes mean: every field of the TLS 1.2 and 1.3 handshakes, decoded and explained.

No ssl, no sockets, no clock. Start at `messages` (handshake messages), `records` (byte streams) and
`prose` (explanations).
"""
