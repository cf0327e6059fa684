"""The log of each room: durable events in one order, without a gap, recoverable.

Redis gives the order and tells everybody at once, MongoDB makes it last, and only then does the sender hear
that it is so. What an event says is nobody's business here. See docs/decisions/room-log.md.
"""
