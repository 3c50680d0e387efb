"""The common language of all bodies: units, commands, events, refusal codes and their wire form.

What lives here is data and its encoding. What must not: state, sockets, files, Django.
"""
