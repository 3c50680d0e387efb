"""Tables of public market data."""
