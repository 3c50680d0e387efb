"""Tables of orders and fills."""
