"""Tables of the depository."""
