"""Tables of members and their API keys."""
