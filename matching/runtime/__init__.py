"""The engine process: sockets, sequencer, journal, publication.

What lives here is everything that touches the outside. What must not: rules of trading.
"""
