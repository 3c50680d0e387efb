"""What an operator sees of the whole exchange: health, metrics, dead letters.

What lives here asks all bodies by their selectors and shows it. What must not: any rule, any table.
"""
